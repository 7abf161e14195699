package repo

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// maxJoint is the most calls that one statement answers.
const maxJoint = 128

// lanes limit how many lookups of one kind are under way at once. Later callers wait for the first lookup that returns;
// then one of them answers all who wait by one statement, which is sent after they came.
type lanes[R any] struct {
	mu    sync.Mutex
	free  int
	queue []*waiter[R]
}

// waiter is a call that waits for its turn.
type waiter[R any] struct {
	key  string
	turn chan turn[R] // buffered, so that nobody waits for one who has gone
	gone bool         // its context is over
}

// turn is what a waiter is told. The zero value tells it to look by itself.
type turn[R any] struct {
	leads    []*waiter[R] // it has a lane and asks for these, itself first
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

// lookup calls alone or, if all lanes are taken, is answered by joint, whose rows are found by key. If joint fails,
// each caller looks by itself, so that each has its own error.
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

// back puts waiters who have not gone back to the front of the queue.
func (l *lanes[R]) back(all []*waiter[R]) {
	stay := slices.DeleteFunc(slices.Clone(all), func(w *waiter[R]) bool { return w.gone })
	l.queue = append(stay, l.queue...)
}

// leave removes a waiter whose context is over. If it was to lead, another leads.
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

// lead asks for all and gives each its turn, also if joint panics. It uses the first one's context; if that is over,
// the others wait for another leader.
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
