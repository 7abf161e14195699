package faults_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestProxy looks at each sort of cut with a statement whose messages are known: one of the client's, and two of the
// server's.
func TestProxy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t, nil)
	for _, c := range []struct {
		name               string
		cut                cut
		fails              bool
		silence            bool
		applied, delivered bool // before and after what is held back is delivered
	}{
		{"behind the last request", cut{request, fin, false, 1}, false, false, true, true},
		{"behind the last answer", cut{answer, rst, false, 2}, false, false, true, true},
		{"request, FIN", cut{request, fin, false, 0}, true, false, false, false},
		{"request, FIN, within", cut{request, fin, true, 0}, true, false, false, false},
		{"request, RST", cut{request, rst, false, 0}, true, false, false, false},
		{"request, silence", cut{request, silent, false, 0}, true, true, false, false},
		{"request, late", cut{request, late, false, 0}, true, false, false, true},
		{"request, late, within", cut{request, late, true, 0}, true, false, false, true},
		{"answer, FIN", cut{answer, fin, false, 0}, true, false, true, true},
		{"answer, FIN, within", cut{answer, fin, true, 1}, true, false, true, true},
		{"answer, silence", cut{answer, silent, false, 1}, true, true, true, true},
	} {
		if err := w.reset(ctx); err != nil {
			t.Fatal(err)
		}
		w.dirty = true
		p := w.proxies[false]
		r := p.begin(false, c.cut) // a cancel request might meet what is late
		cfg := w.config.Copy()
		cfg.RuntimeParams["application_name"] = "cut"
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		cfg.TLSConfig, cfg.Fallbacks = nil, nil
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.listener.Addr().String())
		}
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.arm()
		stmtCtx, cancel := context.WithTimeout(ctx, ceiling)
		silence := make(chan bool, 1)
		go func() { // nobody answers: only the context ends it
			select {
			case <-r.fired:
				if c.silence {
					silence <- sleep(stmtCtx, 10*pause) == nil
					cancel()
				}
			case <-stmtCtx.Done():
			}
		}()
		_, err = conn.Exec(stmtCtx, `DELETE FROM "user" WHERE id = 'stranger'`)
		if (err != nil) != c.fails || r.wasCut() != c.fails {
			t.Errorf("%s: cut %v, %v", c.name, r.wasCut(), err)
		}
		if c.silence && (!<-silence || !errors.Is(err, context.Canceled)) {
			t.Errorf("%s: %v, not by the context", c.name, err)
		}
		if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) {
			t.Errorf("%s: the server answers %v", c.name, err)
		}
		cancel()
		r.recover()
		gone := func(want bool) {
			t.Helper()
			is, err := w.ask(ctx, w.admin, `SELECT NOT EXISTS (SELECT FROM "user" WHERE id = 'stranger')`)
			if err != nil || is != want {
				t.Errorf("%s: applied is %v, want %v (%v)", c.name, is, want, err)
			}
		}
		if c.cut.how == late { // else it may still be under way
			gone(c.applied)
		}
		_ = conn.Close(ctx)
		if err := w.settle(ctx, r, false); err != nil {
			t.Fatal(err)
		}
		gone(c.delivered)
	}
}
