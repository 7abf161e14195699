package standby_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
)

const soon = 200 * time.Millisecond // for what does not come

// replayPaused: a standby that does not go on says so, in time, and goes on as if nothing had been.
func (p pair) replayPaused(t *testing.T) {
	ctx := t.Context()
	before := p.position(t)
	if err := p.waitFor(t, before, ceiling); err != nil {
		t.Fatal(err)
	}
	exec(t, p.standby, "SELECT pg_wal_replay_pause()")
	u := user(t, p.primary)
	at := p.position(t)
	err := p.waitFor(t, at, soon)
	if !errors.Is(err, authdb.ErrBehind) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ask the primary") {
		t.Errorf("while it is paused: %v", err)
	}
	if err := p.waitFor(t, before, ceiling); err != nil {
		t.Errorf("for what it has replayed: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	time.AfterFunc(soon, cancel)
	if err := p.standby.WaitFor(canceled, at); !errors.Is(err, context.Canceled) || errors.Is(err, authdb.ErrBehind) {
		t.Errorf("canceled: %v", err)
	}
	if err := p.standby.WaitFor(ctx, at); !errors.Is(err, authdb.ErrBehind) { // without a deadline, too, it ends
		t.Errorf("without a deadline: %v", err)
	}
	exec(t, p.standby, "SELECT pg_wal_replay_resume()")
	if err := p.waitFor(t, at, ceiling); err != nil {
		t.Errorf("once it goes on: %v", err)
	}
	if got, err := p.standby.Users.Get(ctx, u.ID); err != nil || got.ID != u.ID {
		t.Error(got, err)
	}
}

// inTransaction: what a transaction sees is older than what the server has, so it waits for nothing.
func (p pair) inTransaction(t *testing.T) {
	ctx := t.Context()
	for name, s := range map[string]*authdb.Store{"primary": p.primary, "standby": p.standby} {
		err := s.InTxWith(ctx, authdb.TxOptions{ReadOnly: true}, func(tx *authdb.Store) error {
			_, err := tx.Position(ctx)
			return errors.Join(err, tx.WaitFor(ctx, authdb.Position{}))
		})
		if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 || !errors.Is(err, authdb.ErrInTransaction) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// promotion: who waits for what was lost with the primary is told to go on as soon as the standby is a primary itself.
// Its store reads all the time, and writes from then on.
func (p pair) promotion(t *testing.T) {
	ctx := t.Context()
	u := user(t, p.primary)
	at := p.position(t)
	if err := p.waitFor(t, at, ceiling); err != nil {
		t.Fatal(err)
	}
	var lost authdb.Position // far ahead of what it will ever replay
	if err := lost.UnmarshalText([]byte("ffffffffffff")); err != nil {
		t.Fatal(err)
	}
	if err := p.waitFor(t, lost, soon); !errors.Is(err, authdb.ErrBehind) {
		t.Fatalf("before: %v", err)
	}
	if err := p.servers[0].Stop(); err != nil {
		t.Fatal(err)
	}
	waited, read := make(chan error), make(chan error)
	stop := make(chan struct{})
	go func() { waited <- p.waitFor(t, lost, ceiling) }()
	go func() {
		for {
			_, err := p.standby.Users.Get(ctx, u.ID)
			select {
			case <-stop:
				read <- err
				return
			default:
				if err != nil {
					read <- err
					return
				}
			}
		}
	}()
	exec(t, p.standby, "SELECT pg_promote()")
	if err := <-waited; err != nil {
		t.Errorf("over the promotion: %v", err)
	}
	close(stop)
	if err := <-read; err != nil {
		t.Errorf("a read over the promotion: %v", err)
	}
	user(t, p.standby)
	if next, err := p.standby.Position(ctx); err != nil || next.IsZero() || next == at {
		t.Errorf("its own position: %v, %v", next, err)
	}
}
