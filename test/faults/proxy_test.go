package faults_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// side is whose messages a cut counts.
type side int

const (
	request side = iota // the client's
	answer              // the server's
)

// how is what both ends notice of a cut.
type how int

const (
	fin    how = iota // both are closed, what was passed on before is still worked off
	rst               // both are reset
	silent            // nothing: no message passes, and no end is closed before the network is told to recover
	late              // the client is closed; what it had sent reaches the server when it is told to deliver
	held              // the client is closed while the server is at work on what it was asked; nothing else is cut
)

// cut says at which message of a connection it is cut, and how. Messages before the cut pass; from it on none reaches
// the other side, but that of a late cut and what a server was asked before its answers were cut.
type cut struct {
	side   side
	how    how
	inside bool // half of that message still passes, and of a late one half is held
	at     int  // messages of that side since the cut was armed
}

// proxy stands between clients and a server, and knows the messages of PostgreSQL's protocol, version 3 without TLS.
type proxy struct {
	listener net.Listener
	dial     func(ctx context.Context) (net.Conn, error)

	mu  sync.Mutex
	run *run
}

func newProxy(dial func(ctx context.Context) (net.Conn, error)) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, dial: dial}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p, nil
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// run is what passes the proxy from one begin to the next.
type run struct {
	plan    []cut         // of the first connection, the second and so on; those that follow pass untouched
	cancels bool          // whether cancel requests reach the server
	fired   chan struct{} // closed when the first connection is cut

	mu        sync.Mutex
	links     []*link
	armed     bool
	recovered bool
	delivered bool
	holder    string        // the server's process, and since when it was at work, when a held cut was made
	live      int           // connections that are open, and what is still to be done to one
	changed   chan struct{} // closed and made anew at each change of what is above
}

// begin starts a run. Nothing is cut before it is armed.
func (p *proxy) begin(cancels bool, plan ...cut) *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run = &run{plan: plan, cancels: cancels, fired: make(chan struct{}), changed: make(chan struct{})}
	return p.run
}

func (r *run) change(to func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to()
	close(r.changed)
	r.changed = make(chan struct{})
}

// arm lets the plan begin, with the connection that is there.
func (r *run) arm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = true
	for _, l := range r.links {
		l.arm()
	}
}

// recover ends the silence of black holes: either end learns now that the other one is gone.
func (r *run) recover() { r.change(func() { r.recovered = true }) }

// deliver passes on what late cuts hold.
func (r *run) deliver() { r.change(func() { r.delivered = true }) }

func (r *run) isDelivered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delivered
}

// cutHeld makes the cut of a plan that is held, since a process of the server's is at work.
func (r *run) cutHeld(by string) {
	r.mu.Lock()
	r.holder = by
	l := r.links[0]
	r.mu.Unlock()
	l.mu.Lock()
	l.cut, l.holding = true, true
	l.mu.Unlock()
	l.sever()
}

func (r *run) heldBy() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holder
}

// until waits for a change after which done reports true.
func (r *run) until(ctx context.Context, done func() bool) error {
	for {
		r.mu.Lock()
		ok, changed := done(), r.changed
		r.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// meanwhile does something as part of the run.
func (r *run) meanwhile(do func()) {
	r.change(func() { r.live++ })
	go func() {
		do()
		r.change(func() { r.live-- })
	}()
}

// later does something after a change, as part of the run.
func (r *run) later(changed func() bool, do func()) {
	r.meanwhile(func() {
		_ = r.until(context.Background(), changed)
		do()
	})
}

// wasCut reports whether the first connection has been cut.
func (r *run) wasCut() bool {
	select {
	case <-r.fired:
		return true
	default:
		return false
	}
}

// end lets every connection of the run end and waits until the server has closed its own.
func (r *run) end(ctx context.Context) error {
	r.recover()
	r.deliver()
	return r.until(ctx, func() bool { return r.live == 0 })
}

// ports are those from which the proxy has reached the server.
func (r *run) ports() (ports []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		if addr, ok := l.server.LocalAddr().(*net.TCPAddr); ok {
			ports = append(ports, addr.Port)
		}
	}
	return ports
}

// counted returns how many messages either side of the first connection has sent since it was armed.
func (r *run) counted() [2]int {
	r.mu.Lock()
	l := r.links[0]
	r.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// link is one connection through the proxy.
type link struct {
	run            *run
	client, server net.Conn
	plan           *cut // nil: none
	first          bool

	mu      sync.Mutex
	armed   bool
	cut     bool
	holding bool // of a late cut: it is not delivered yet
	seen    [2]int
	pending int  // answers that the server owes, of which each ends with ReadyForQuery
	copying bool // the server waits for rows
	held    []byte
}

func (l *link) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = true
}

const (
	protocolCancel = 80877102
	protocolSSL    = 80877103
	protocolGSS    = 80877104
)

func (p *proxy) serve(client net.Conn) {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	r.change(func() { r.live++ })
	defer r.change(func() { r.live-- })
	defer client.Close()
	from := bufio.NewReader(client)
	var start []byte
	for {
		var err error
		if start, err = readStart(from); err != nil {
			return
		}
		code := binary.BigEndian.Uint32(start[4:])
		if code != protocolSSL && code != protocolGSS {
			break
		}
		if _, err := client.Write([]byte{'N'}); err != nil {
			return
		}
	}
	isCancel := binary.BigEndian.Uint32(start[4:]) == protocolCancel
	if isCancel && !r.cancels {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ceiling)
	defer cancel()
	server, err := p.dial(ctx)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := server.Write(start); err != nil {
		return
	}
	if isCancel {
		_, _ = io.Copy(client, server) // the server closes it
		return
	}
	l := &link{run: r, client: client, server: server}
	r.mu.Lock()
	l.first = len(r.links) == 0
	if n := len(r.links); n < len(r.plan) {
		l.plan = &r.plan[n]
	}
	r.links = append(r.links, l)
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.up(from) })
	both.Go(l.down)
	both.Wait()
}

func readStart(from io.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > 1<<16 {
		return nil, io.ErrUnexpectedEOF
	}
	start := append(head[:], make([]byte, size-8)...)
	_, err := io.ReadFull(from, start[8:])
	return start, err
}

// readMessage reads one message: its type, its length and the rest.
func readMessage(from *bufio.Reader) ([]byte, error) {
	head, err := from.Peek(5)
	if err != nil {
		return nil, err
	}
	msg := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(from, msg)
	return msg, err
}

// meets counts a message and reports whether it is cut here, or was before.
func (l *link) meets(s side, msg []byte) (here, before bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := msg[0]
	if s == answer {
		switch kind {
		case 'Z': // ReadyForQuery
			l.pending = max(0, l.pending-1)
			l.copying = false
		case 'G': // CopyInResponse
			l.copying = true
		}
	}
	if l.cut {
		return false, true
	}
	here = l.armed && l.plan != nil && l.plan.how != held && l.plan.side == s && l.seen[s] == l.plan.at
	if l.armed {
		l.seen[s]++
	}
	if s == request && owesReady(kind) && !here {
		l.pending++
	}
	l.cut = here
	l.holding = here && l.plan.how == late
	return here, false
}

// endsFlight reports whether a client sends nothing after such a message before it has an answer: Sync, Query, Flush,
// CopyDone, CopyFail, Terminate.
func endsFlight(kind byte) bool {
	switch kind {
	case 'S', 'Q', 'H', 'c', 'f', 'X':
		return true
	}
	return false
}

// owesReady reports whether the server closes its answer with ReadyForQuery: to Sync and Query.
func owesReady(kind byte) bool { return kind == 'S' || kind == 'Q' }

// up passes on what the client sends.
func (l *link) up(from *bufio.Reader) {
	to := bufio.NewWriter(l.server)
	for {
		msg, err := readMessage(from)
		if err != nil {
			_ = to.Flush()
			l.clientLeft()
			return
		}
		here, before := l.meets(request, msg)
		switch {
		case before: // to nowhere
		case !here:
			_, _ = to.Write(msg)
			if from.Buffered() == 0 {
				_ = to.Flush()
			}
		default:
			half := 0
			if l.plan.inside {
				half = len(msg) / 2
			}
			_, _ = to.Write(msg[:half])
			_ = to.Flush()
			if l.plan.how == late {
				l.hold(from, msg, half)
			}
			l.sever()
		}
	}
}

// hold keeps back what the client sends, up to the end of the flight.
func (l *link) hold(from *bufio.Reader, msg []byte, half int) {
	held := msg[half:]
	for !endsFlight(msg[0]) {
		var err error
		if msg, err = readMessage(from); err != nil {
			break
		}
		held = append(held, msg...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
	switch {
	case owesReady(msg[0]):
		l.pending++
	case endsFlight(msg[0]):
		l.copying = false
	}
}

// down passes on what the server answers.
func (l *link) down() {
	from, to := bufio.NewReader(l.server), bufio.NewWriter(l.client)
	ready := false
	for {
		msg, err := readMessage(from)
		if err != nil {
			_ = to.Flush()
			l.serverLeft()
			return
		}
		if msg[0] == 'Z' && !ready {
			ready = true
			l.started()
		}
		here, before := l.meets(answer, msg)
		switch {
		case before:
		case !here:
			_, _ = to.Write(msg)
			if from.Buffered() == 0 {
				_ = to.Flush()
			}
		default:
			if l.plan.inside {
				_, _ = to.Write(msg[:len(msg)/2])
			}
			_ = to.Flush()
			l.sever()
		}
		if l.isAnswered() {
			closeWrite(l.server)
		}
	}
}

// started arms a connection that is made while the plan is on.
func (l *link) started() {
	l.run.mu.Lock()
	defer l.run.mu.Unlock()
	if l.run.armed {
		l.arm()
	}
}

// isAnswered reports whether a connection that is cut has nothing more to wait for from the server, or the server waits
// for rows that do not come.
func (l *link) isAnswered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut && !l.holding && (l.pending == 0 || l.copying) && l.plan.how != silent
}

// sever does to both ends what the cut is.
func (l *link) sever() {
	if l.first {
		close(l.run.fired)
	}
	switch {
	case l.plan.how == rst:
		reset(l.client)
		reset(l.server)
	case l.plan.how == silent:
		l.run.later(func() bool { return l.run.recovered }, func() {
			closeWrite(l.client)
			closeWrite(l.server)
		})
	case l.plan.how == late || l.plan.how == held:
		closeWrite(l.client)
		l.run.later(func() bool { return l.run.delivered }, func() {
			_, _ = l.server.Write(l.held)
			l.mu.Lock()
			l.holding = false
			l.mu.Unlock()
			if l.isStuck() {
				closeWrite(l.server)
			}
		})
	case l.plan.side == request:
		closeWrite(l.client)
		closeWrite(l.server)
	default: // the server still gets to answer what it was asked
		closeWrite(l.client)
		if l.isStuck() {
			closeWrite(l.server)
		}
	}
}

// isStuck reports whether the server, from which no more answer is to come, would wait for the client for ever.
func (l *link) isStuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending == 0 || l.copying
}

// clientLeft is the end of what the client sends.
func (l *link) clientLeft() {
	l.mu.Lock()
	wait := l.cut && (l.plan.how == silent || l.plan.how == late || l.plan.how == held || l.pending > 0 && !l.copying)
	l.mu.Unlock()
	if !wait {
		closeWrite(l.server)
	}
}

// serverLeft is the end of what the server sends. In a silence the client does not learn of it.
func (l *link) serverLeft() {
	l.mu.Lock()
	quiet := l.cut && l.plan.how == silent
	l.mu.Unlock()
	if quiet {
		_ = l.run.until(context.Background(), func() bool { return l.run.recovered })
	}
	closeWrite(l.client)
}

func closeWrite(c net.Conn) {
	if c, ok := c.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// reset closes a connection so that the other end gets an error. (A Unix socket knows no RST, and is just closed.)
func reset(c net.Conn) {
	if c, ok := c.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = c.Close()
}
