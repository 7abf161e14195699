package answers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestWithOnceOutlivesCuts cuts the connection at every boundary: with marks, the write is done once and its answer is
// right, whatever is lost.
func TestWithOnceOutlivesCuts(t *testing.T) {
	t.Parallel()
	dsn := newDSN(t)
	o := newObserver(t, dsn)
	cuts := 0
	modes, kinds := cutModes[:1], []string{"before write", "after write", "drop read"}
	if kit.Hard(t, 0, 1) == 1 {
		modes, kinds = cutModes, cutKinds
	}
	for _, sc := range scenarios {
		for _, mode := range modes {
			for _, kind := range kinds {
				for at := 0; ; at++ {
					o.exec(t, `DELETE FROM "user"`)
					f := newFaultyPool(t, dsn, mode, false)
					once := authdb.New(f.pool, authdb.WithOnce())
					f.conn.arm(cut{kind, at})
					err := sc.run(t.Context(), once, "x")
					rows := o.count(t, `SELECT count(DISTINCT u.id) + count(a.id) FROM "user" u
						LEFT JOIN account a ON a.user_id = u.id`)
					if err != nil || rows != sc.rows {
						t.Errorf("%s, %v, %s %d: %v, %d rows", sc.name, mode, kind, at, err, rows)
					}
					f.pool.Close()
					if !f.conn.wasCut() {
						break
					}
					cuts++
				}
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

// TestResolveIsFinal: whoever asks what became of a write makes sure that it stays so.
func TestResolveIsFinal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(*gate, *testing.T)
		want authdb.Outcome
	}{
		"committed late": {(*gate).open, authdb.OutcomeApplied},
		"killed":         {(*gate).killWaiting, authdb.OutcomeNotApplied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := newDSN(t)
			g := newGate(t, newObserver(t, dsn))
			f := newFaultyPool(t, dsn, pgx.QueryExecModeCacheStatement, true)
			s := authdb.New(f.pool)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			result := async(func() error {
				_, err := s.Users.Create(authdb.Once(ctx, "key"), newUser("late@example.com"))
				return err
			})
			g.reached(t)
			f.conn.sever()
			cancel()
			err := <-result
			if e := asError(t, err); e.Outcome != authdb.OutcomeUnknown || !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			answers := make(chan authdb.Outcome, 1)
			go func() {
				outcome, err := g.Resolve(t.Context(), err)
				if err != nil {
					t.Error(err)
				}
				answers <- outcome
			}()
			tt.end(g, t)
			if got := <-answers; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
			if tt.want == authdb.OutcomeApplied {
				return
			}
			// The key is used up.
			_, err = g.Users.Create(authdb.Once(t.Context(), "key"), newUser("late@example.com"))
			if e := asError(t, err); !errors.Is(err, authdb.ErrInvalidInput) || e.Reason != "given up" {
				t.Error(err)
			}
		})
	}
}
