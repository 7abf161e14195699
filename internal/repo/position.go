package repo

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// ErrBehind says that a standby has not replayed a position in time.
var ErrBehind = errors.New("behind")

// place is the position in PostgreSQL's log. On a primary it is the end of what was flushed, since only that is sent to
// standbys: what was inserted after it may stay unsent until something commits.
const place = `SELECT pg_catalog.pg_is_in_recovery(),
	coalesce(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
		ELSE pg_catalog.pg_current_wal_flush_lsn() END::pg_catalog.text, '0/0'),
	pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'`

// flush makes PostgreSQL flush all earlier commits, also if synchronous_commit is off.
const flush = `SELECT pg_catalog.set_config('synchronous_commit', 'local', true),
	pg_catalog.pg_logical_emit_message(true, 'authdb', ''::pg_catalog.text)::pg_catalog.text`

const (
	firstLook = 500 * time.Microsecond // the first pause between two looks at a standby
	lastLook  = 10 * time.Millisecond
)

// Position returns a position in PostgreSQL's log that is not before any earlier commit. On a standby it is the end of
// what was replayed.
func (r *Repo) Position(ctx context.Context) (position uint64, err error) {
	const name = "Position"
	if r.where().tx != nil {
		return 0, ErrInTransaction
	}
	standby, position, unflushed, err := r.look(ctx, name)
	if err != nil || standby || !unflushed {
		return position, err
	}
	if err := r.Snapshot(ctx, name, raw(flush)); err != nil {
		return 0, err
	}
	_, position, _, err = r.look(ctx, name)
	return position, err
}

// WaitFor returns once PostgreSQL has replayed the position, or at once if it is no standby. It returns ErrBehind if
// ctx ends before that, or, without a deadline, the patience of this package.
func (r *Repo) WaitFor(ctx context.Context, position uint64) error {
	const name = "WaitFor"
	if err := r.check(ctx); err != nil {
		return err
	}
	if r.where().tx != nil {
		return ErrInTransaction
	}
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for pause, seen := firstLook, false; ; pause = min(2*pause, lastLook) {
		standby, replayed, _, err := r.look(ctx, name)
		if err == nil && (!standby || replayed >= position) {
			return nil
		}
		seen = seen || err == nil
		if err == nil {
			err = NotSent(ctx, wait(ctx, rand.N(pause)+pause/2))
		}
		switch {
		case err == nil:
		case seen && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return ErrBehind
		default:
			return err
		}
	}
}

// look asks for the place.
func (r *Repo) look(ctx context.Context, name string) (standby bool, position uint64, unflushed bool, err error) {
	err = r.try(ctx, name, nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		var at string
		err = on.QueryRow(ctx, place).Scan(&standby, &at, &unflushed)
		if err == nil {
			position, err = parsePosition(at)
		}
		return Failed(ctx, on.conn, err, false)
	})
	return standby, position, unflushed, err
}

// parsePosition parses a position as PostgreSQL writes it, such as 16/B374D848.
func parsePosition(s string) (uint64, error) {
	high, low, _ := strings.Cut(s, "/")
	h, highErr := strconv.ParseUint(high, 16, 32)
	l, lowErr := strconv.ParseUint(low, 16, 32)
	return h<<32 | l, errors.Join(highErr, lowErr)
}
