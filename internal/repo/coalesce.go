package repo

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// maxJoint is how many calls one statement answers at most.
const maxJoint = 128

// lanes let a number of lookups of one kind be on their way at once. Who comes then waits for the first that returns:
// all who wait are answered by one statement, which is sent after they came, by one of them.
type lanes[R any] struct {
	mu    sync.Mutex
	free  int
	queue []*waiter[R]
}

// waiter is a call that waits for its turn.
type waiter[R any] struct {
	key  string
	turn chan turn[R] // of one, so that nobody waits for who has gone
	gone bool         // whose context is over, wherever it stands by then
}

// turn is what becomes of a waiter. The zero value is to look for itself.
type turn[R any] struct {
	leads    []*waiter[R] // it has a lane, and asks for these, itself the first
	answered bool
	row      R
	err      error
}

func newLanes[R any](n int) *lanes[R] {
	if n <= 0 {
		return nil
	}
	return &lanes[R]{free: n}
}

// lookup is alone, or, where all lanes are taken, a part of joint, whose rows are found by key. If joint fails, each
// looks for itself, and so has an error of its own.
func (l *lanes[R]) lookup(
	ctx context.Context, key string, alone func() (R, error), joint func(keys []string) ([]R, error),
	keyOf func(*R) string,
) (R, error) {
	if l == nil || ctx == nil || columnsOf(ctx) != nil {
		return alone()
	}
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		defer l.pass()
		return alone()
	}
	w := &waiter[R]{key: key, turn: make(chan turn[R], 1)}
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		l.leave(w)
		var none R
		return none, NotSent(ctx, ctx.Err())
	case t := <-w.turn:
		if t.leads != nil {
			defer l.pass()
			l.lead(ctx, t.leads, joint, keyOf)
			t = <-w.turn
		}
		if t.answered {
			return t.row, t.err
		}
		return alone()
	}
}

// pass gives a lane to those who wait.
func (l *lanes[R]) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passLocked()
}

func (l *lanes[R]) passLocked() {
	if len(l.queue) == 0 {
		l.free++
		return
	}
	n := min(len(l.queue), maxJoint)
	all := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	all[0].turn <- turn[R]{leads: all}
}

// back lets waiters wait again, before all others, but for those who have gone.
func (l *lanes[R]) back(all []*waiter[R]) {
	stay := slices.DeleteFunc(slices.Clone(all), func(w *waiter[R]) bool { return w.gone })
	l.queue = append(stay, l.queue...)
}

// leave takes away a waiter whose context is over. If it was to lead, another does.
func (l *lanes[R]) leave(w *waiter[R]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.gone = true
	if at := slices.Index(l.queue, w); at >= 0 {
		l.queue = slices.Delete(l.queue, at, at+1)
	}
	select {
	case t := <-w.turn:
		if t.leads != nil {
			l.back(t.leads)
			l.passLocked()
		}
	default:
	}
}

// lead asks for all and gives each its turn, also where joint panics. If it was ended by the context, which is that of
// the first, the others wait for another.
func (l *lanes[R]) lead(
	ctx context.Context, all []*waiter[R], joint func(keys []string) ([]R, error), keyOf func(*R) string,
) {
	turns := make([]turn[R], len(all))
	given := len(all)
	defer func() {
		for i, w := range all[:given] {
			w.turn <- turns[i]
		}
	}()
	if len(all) == 1 {
		return
	}
	keys := make([]string, len(all))
	places := map[string][]int{}
	for i, w := range all {
		keys[i] = w.key
		places[w.key] = append(places[w.key], i)
	}
	rows, err := joint(keys)
	if err != nil && ctx.Err() != nil {
		given = 1
		l.mu.Lock()
		l.back(all[1:])
		l.mu.Unlock()
	}
	if err != nil {
		return
	}
	for i := range turns {
		turns[i] = turn[R]{answered: true, err: pgx.ErrNoRows}
	}
	// Each place of a key has a row of its own, so that its callers share nothing.
	for i := range rows {
		if at := places[keyOf(&rows[i])]; len(at) > 0 {
			turns[at[0]] = turn[R]{answered: true, row: rows[i]}
			places[keyOf(&rows[i])] = at[1:]
		}
	}
}
