package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// proxy stands between a contender and the server, makes each answer come later, and counts the round trips: how often
// the client speaks after the server did.
type proxy struct {
	listener net.Listener
	trips    atomic.Int64
	delay    time.Duration
	open     sync.WaitGroup
	close    context.CancelFunc
}

func newProxy(ctx context.Context, to address, delay time.Duration) (*proxy, address, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, address{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &proxy{listener: listener, delay: delay, close: cancel}
	p.open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.open.Go(func() { p.serve(ctx, client, to) })
		}
	})
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	at := to
	at.Host, at.Port = "127.0.0.1", uint16(listener.Addr().(*net.TCPAddr).Port)
	return p, at, nil
}

func (p *proxy) stop() {
	p.close()
	p.open.Wait()
}

type late struct {
	bytes []byte
	due   time.Time
}

func (p *proxy) serve(ctx context.Context, client net.Conn, to address) {
	defer client.Close()
	network, addr := pgconn.NetworkAddress(to.Host, to.Port)
	server, err := net.Dial(network, addr)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	var answered atomic.Bool
	answered.Store(true)
	answers := make(chan late, 1024)
	var both sync.WaitGroup
	both.Go(func() {
		for answer := range answers {
			time.Sleep(time.Until(answer.due))
			if _, err := client.Write(answer.bytes); err != nil {
				server.Close()
			}
		}
		client.Close()
	})
	both.Go(func() {
		defer close(answers)
		pass(server, func(b []byte) error {
			answered.Store(true)
			answers <- late{append([]byte(nil), b...), time.Now().Add(p.delay)}
			return nil
		})
	})
	pass(client, func(b []byte) error {
		if answered.Swap(false) {
			p.trips.Add(1)
		}
		_, err := server.Write(b)
		return err
	})
	server.Close()
	both.Wait()
}

func pass(from net.Conn, to func([]byte) error) {
	for buf := make([]byte, 64<<10); ; {
		n, err := from.Read(buf)
		if n > 0 {
			err = errors.Join(to(buf[:n]), err)
		}
		if err != nil {
			return
		}
	}
}
