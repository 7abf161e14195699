// Package standby_test runs a store over a real standby.
package standby_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zerostarter/authdb"
)

// TestStandby is one pair in what it may come to.
func TestStandby(t *testing.T) {
	p := newPair(t)
	t.Run("idle primary", p.idlePrimary)
	t.Run("read your writes", p.readYourWrites)
	t.Run("commits that do not wait", func(t *testing.T) {
		exec(t, p.primary, "ALTER DATABASE postgres SET synchronous_commit = off")
		loose := p
		loose.primary = open(t, p.servers[0])
		if got := ask[string](t, loose.primary, "SHOW synchronous_commit"); got != "off" {
			t.Fatalf("synchronous_commit is %s", got)
		}
		loose.readYourWrites(t)
		exec(t, p.primary, "ALTER DATABASE postgres RESET synchronous_commit")
	})
	t.Run("position of a standby", p.positionOfStandby)
	t.Run("in a transaction", p.inTransaction)
	t.Run("read only", p.readOnly)
	// On servers of its own: its standby ends the statements of whoever comes next, too.
	t.Run("recovery conflicts", func(t *testing.T) { newPair(t).recoveryConflicts(t) })
	t.Run("middleware", p.middleware)
	t.Run("replay paused", p.replayPaused)
	t.Run("promotion", p.promotion)
}

// readYourWrites writes on the primary, waits on the standby, and reads there what was written: nothing stale. Read
// without the wait, some of the same writes are missed.
func (p pair) readYourWrites(t *testing.T) {
	ctx := t.Context()
	const writes = 5_000 / workers * workers
	var stale, atOnce atomic.Int64
	var all sync.WaitGroup
	for range workers {
		u := user(t, p.primary)
		all.Go(func() {
			fail := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			var session authdb.Session
			for i := range writes / workers {
				// The session is made, changed, and revoked, in turn.
				var err error
				agent := fmt.Sprint("agent", i)
				switch i % 3 {
				case 0:
					session, err = p.primary.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: u.ID, UserAgent: agent})
				case 1:
					session, err = p.primary.Sessions.UpdateByToken(ctx, session.Token, authdb.UpdateSessionParams{UserAgent: authdb.Set(agent)})
				case 2:
					err = p.primary.Sessions.DeleteByToken(ctx, session.Token)
				}
				fail(err)
				isThere := func() bool {
					got, err := p.standby.Sessions.GetByToken(ctx, session.Token)
					if err != nil && !errors.Is(err, authdb.ErrNotFound) {
						t.Error(err)
					}
					return err == nil && *got.UserAgent == agent && i%3 != 2 || err != nil && i%3 == 2
				}
				if !isThere() {
					atOnce.Add(1)
				}
				at, err := p.primary.Position(ctx)
				fail(err)
				fail(p.standby.WaitFor(ctx, at))
				if !isThere() {
					stale.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("of %d writes, %d are stale after WaitFor, %d (%d %%) without", writes, stale.Load(), atOnce.Load(),
		100*atOnce.Load()/int64(writes))
	if stale.Load() != 0 {
		t.Errorf("%d stale after WaitFor", stale.Load())
	}
	if atOnce.Load() == 0 {
		t.Error("nothing was stale without it: this standby never lags, and the test proves nothing")
	}
}

// idlePrimary: where nothing goes on, the position is reached all the same. That of what is inserted, but not
// flushed, is not.
func (p pair) idlePrimary(t *testing.T) {
	const behind = `SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()`
	for try := 0; ; try++ {
		if try == 10 {
			t.Fatal("the end of the log is always flushed: the test proves nothing")
		}
		exec(t, p.primary, `SELECT pg_logical_emit_message(false, '', '')`) // written by no commit
		insert := ask[string](t, p.primary, `SELECT pg_current_wal_insert_lsn()::text`)
		at := p.position(t)
		if err := p.waitFor(t, at, ceiling); err != nil {
			t.Fatal(err)
		}
		replayed := ask[bool](t, p.standby, `SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn`, insert)
		if ask[bool](t, p.primary, behind) {
			if replayed {
				t.Error("replayed what is not flushed")
			}
			return
		}
	}
}

// positionOfStandby is what that has replayed, and good for another server.
func (p pair) positionOfStandby(t *testing.T) {
	user(t, p.primary)
	written := p.position(t)
	if err := p.waitFor(t, written, ceiling); err != nil {
		t.Fatal(err)
	}
	read, err := p.standby.Position(t.Context())
	if err != nil || read.IsZero() {
		t.Fatal(read, err)
	}
	if err := p.waitFor(t, read, ceiling); err != nil {
		t.Error(err)
	}
	for _, at := range []authdb.Position{{}, written, read} {
		if err := p.primary.WaitFor(t.Context(), at); err != nil { // at once: it has no standby to wait for
			t.Error(err)
		}
	}
}

// readOnly: a standby writes nothing.
func (p pair) readOnly(t *testing.T) {
	_, err := authdb.New(p.standby.Pool()).Users.Create(t.Context(), authdb.CreateUserParams{Email: "user@example.com"})
	if e, _ := errors.AsType[*authdb.Error](err); e == nil || !errors.Is(err, authdb.ErrReadOnly) || e.SQLState != "25006" ||
		!strings.Contains(err.Error(), "read only") {
		t.Error(err)
	}
}
