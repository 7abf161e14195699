package repo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"
)

// callers make lookups on lanes and hold up what is asked for.
type callers struct {
	lanes *lanes[*string]
	mu    sync.Mutex
	asked [][]string    // by each statement
	open  chan struct{} // closed: statements are answered
	fails error         // of a joint statement
	panic any
	rows  map[string]string
}

func (c *callers) wait(ctx context.Context, keys ...string) error {
	c.mu.Lock()
	c.asked = append(c.asked, keys)
	open := c.open
	c.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *callers) call(ctx context.Context, key string) (row *string, err error) {
	return c.lanes.lookup(ctx, key, func() (*string, error) {
		if err := c.wait(ctx, key); err != nil {
			return nil, err
		}
		if row, ok := c.rows[key]; ok {
			return new(row), nil
		}
		return nil, pgx.ErrNoRows
	}, func(keys []string) (rows []*string, err error) {
		if err := c.wait(ctx, keys...); err != nil {
			return nil, err
		}
		if c.panic != nil {
			panic(c.panic)
		}
		for _, key := range keys {
			if row, ok := c.rows[key]; ok {
				rows = append(rows, new(row))
			}
		}
		return rows, c.fails
	}, func(row **string) string { return **row })
}

func errOf[T any](_ T, err error) error { return err }

// answer is what came of a call.
type answer struct {
	row *string
	err error
}

// begin makes a call and waits until it waits itself.
func (c *callers) begin(ctx context.Context, key string) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- answer{err: fmt.Errorf("panic: %v", p)}
			}
		}()
		row, err := c.call(ctx, key)
		done <- answer{row, err}
	}()
	synctest.Wait()
	return done
}

func (c *callers) release() {
	close(c.open)
	synctest.Wait()
}

// idle fails unless all lanes are free again.
func (c *callers) idle(t *testing.T, n int) {
	t.Helper()
	synctest.Wait()
	if c.lanes.free != n || len(c.lanes.queue) != 0 {
		t.Errorf("%d of %d lanes are free, %d wait", c.lanes.free, n, len(c.lanes.queue))
	}
}

func newCallers(n int) *callers {
	return &callers{lanes: newLanes[*string](n), open: make(chan struct{}), rows: map[string]string{"a": "a", "b": "b", "c": "c"}}
}

func (c *callers) statements(t *testing.T, want ...[]string) {
	t.Helper()
	if !slices.EqualFunc(c.asked, want, slices.Equal[[]string]) {
		t.Errorf("asked for %q, want %q", c.asked, want)
	}
}

func TestCoalescing(t *testing.T) {
	t.Run("who comes while all lanes are taken is answered together", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			c := newCallers(2)
			all := []<-chan answer{
				c.begin(ctx, "a"), c.begin(ctx, "b"), c.begin(ctx, "c"), c.begin(ctx, "none"), c.begin(ctx, "c"),
			}
			c.release()
			c.statements(t, []string{"a"}, []string{"b"}, []string{"c", "none", "c"})
			var rows []*string
			for i, want := range []string{"a", "b", "c", "", "c"} {
				got := <-all[i]
				if want == "" {
					if got.err != pgx.ErrNoRows { //nolint:errorlint // as a query returns it
						t.Errorf("%v", got.err)
					}
				} else if got.err != nil || *got.row != want {
					t.Errorf("%d: %v, %v", i, got.row, got.err)
				}
				rows = append(rows, got.row)
			}
			if rows[2] == rows[4] {
				t.Error("two callers share a row")
			}
			c.idle(t, 2)
		})
	})
	t.Run("each has its own error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			c := newCallers(1)
			c.fails = errors.New("one row cannot be read")
			all := []<-chan answer{c.begin(ctx, "a"), c.begin(ctx, "b"), c.begin(ctx, "none")}
			c.release()
			if a, b := <-all[0], <-all[1]; a.err != nil || b.err != nil {
				t.Error(a.err, b.err)
			}
			if none := <-all[2]; none.err != pgx.ErrNoRows { //nolint:errorlint // as a query returns it
				t.Error(none.err)
			}
			c.idle(t, 1)
		})
	})
	for _, when := range []string{"before it leads", "while it leads"} {
		t.Run("the context of who leads is over "+when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				c := newCallers(1)
				first := c.begin(ctx, "a")
				leads, cancel := context.WithCancel(ctx)
				leader, follower := c.begin(leads, "b"), c.begin(ctx, "c")
				if when == "before it leads" {
					cancel()
					synctest.Wait()
				}
				c.mu.Lock()
				was := c.open
				c.open = make(chan struct{})
				c.mu.Unlock()
				close(was)
				synctest.Wait()
				cancel()
				synctest.Wait()
				c.release()
				if got := <-leader; !errors.Is(got.err, context.Canceled) {
					t.Error(got.err)
				}
				if a, b := <-first, <-follower; a.err != nil || b.err != nil || *b.row != "c" {
					t.Error(a.err, b.err)
				}
				c.idle(t, 1)
			})
		})
	}
	t.Run("who goes is not waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			c := newCallers(1)
			first := c.begin(ctx, "a")
			short, cancel := context.WithCancel(ctx)
			leader, gone, last := c.begin(ctx, "b"), c.begin(short, "c"), c.begin(ctx, "a")
			cancel()
			if got := <-gone; !errors.Is(got.err, context.Canceled) {
				t.Error(got.err)
			}
			c.release()
			c.statements(t, []string{"a"}, []string{"b", "a"})
			if a, b, last := <-first, <-leader, <-last; a.err != nil || b.err != nil || last.err != nil {
				t.Error(a.err, b.err, last.err)
			}
			c.idle(t, 1)
		})
	})
	t.Run("a panic is of one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			c := newCallers(1)
			c.panic = "of a tracer"
			first, leader, follower := c.begin(ctx, "a"), c.begin(ctx, "b"), c.begin(ctx, "c")
			c.release()
			if got := <-leader; got.err == nil || got.err.Error() != "panic: of a tracer" {
				t.Error(got.err)
			}
			if a, b := <-first, <-follower; a.err != nil || b.err != nil {
				t.Error(a.err, b.err)
			}
			c.idle(t, 1)
		})
	})
	t.Run("in the order in which they came, some at a time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			c := newCallers(1)
			first := c.begin(ctx, "a")
			var keys []string
			var all []<-chan answer
			for i := range 2*maxJoint + 1 {
				key := fmt.Sprint(i)
				c.rows[key] = key
				keys, all = append(keys, key), append(all, c.begin(ctx, key))
			}
			c.release()
			c.statements(t, []string{"a"}, keys[:maxJoint], keys[maxJoint:2*maxJoint], keys[2*maxJoint:])
			<-first
			for i, done := range all {
				if got := <-done; got.err != nil || *got.row != keys[i] {
					t.Errorf("%d: %v", i, got.err)
				}
			}
			c.idle(t, 1)
		})
	})
}

// Whoever goes, and whenever, no lane goes along, and nobody waits for ever.
func TestCoalescingKeepsItsLanes(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			c := newCallers(1 + random.IntN(3))
			n := c.lanes.free
			var cancels []context.CancelFunc
			var all []<-chan answer
			for range 40 {
				switch random.IntN(6) {
				case 0, 1, 2:
					ctx, cancel := context.WithCancel(t.Context())
					cancels, all = append(cancels, cancel), append(all, c.begin(ctx, string(rune('a'+random.IntN(4)))))
				case 3: // what is under way is answered, while some go
					c.mu.Lock()
					was := c.open
					c.open = make(chan struct{})
					c.mu.Unlock()
					close(was)
				case 4:
					for _, cancel := range cancels {
						if random.IntN(3) == 0 {
							cancel()
						}
					}
				case 5:
					for i := range cancels { // those who came first first
						if cancels[i](); random.IntN(2) == 0 {
							break
						}
					}
				}
				if random.IntN(2) == 0 {
					synctest.Wait()
				}
			}
			c.release()
			for _, done := range all {
				if got := <-done; got.err != nil && !errors.Is(got.err, context.Canceled) && got.err != pgx.ErrNoRows { //nolint:errorlint // as a query returns it
					t.Error(got.err)
				}
			}
			c.idle(t, n)
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

// What was revoked before a call is not opened by a statement that was sent before it. The control shares the answer of
// the statement that is under way.
func TestCoalescingIsFresh(t *testing.T) {
	for _, control := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCallers(1)
			live, answered := true, make(chan struct{})
			look := func() (*string, error) {
				was := live
				<-answered
				if !was {
					return nil, pgx.ErrNoRows
				}
				return new("a"), nil
			}
			var under chan error // what the control has under way
			call := func() error {
				if !control {
					return errOf(c.lanes.lookup(t.Context(), "a", look, nil, nil))
				}
				if under != nil {
					err := <-under
					under <- err
					return err
				}
				under = make(chan error, 1)
				err := errOf(look())
				under <- err
				return err
			}
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- call() }()
			synctest.Wait()
			live = false // revoked, and its caller has the answer
			go func() { second <- call() }()
			synctest.Wait()
			close(answered)
			if err := <-first; err != nil {
				t.Error(err)
			}
			if opens := <-second == nil; opens != control {
				t.Errorf("control %t: a revoked session opens: %t", control, opens)
			}
		})
	}
}
