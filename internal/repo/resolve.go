package repo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// Key is the primary key of a row that this package made. Its id comes from the client, so it is known even if the
// answer is lost.
type Key struct{ TableName, ID string }

// UnresolvedError says why nobody can tell what became of a write.
type UnresolvedError string

func (e UnresolvedError) Error() string { return string(e) }

const resolve = "Resolve"

// Resolve reports whether a lost write was applied. If it returns no error, the answer is final: with a mark, because
// it makes the mark itself; otherwise because the PostgreSQL process that got the write has ended.
func (r *Repo) Resolve(ctx context.Context, lost *Lost) (applied bool, err error) {
	if lost.Mark != "" {
		var there dbgen.AuthdbMark
		steps := []Step{
			lock((*queries).GiveUpMark, dbgen.GiveUpMarkParams{ID: lost.Mark, Now: r.Now()}),
			ask((*queries).GetMark, lost.Mark, &there),
		}
		err := r.try(ctx, resolve, nil, func(ctx context.Context) error {
			err := r.once(ctx, Key{}, steps)
			if f, ok := err.(*FailureError); ok { //nolint:errorlint // as once made it
				f.Lost = nil // giving up a mark twice is giving it up once
			}
			return err
		})
		return there.Answer != nil, err
	}
	if len(lost.made) == 0 {
		return false, UnresolvedError("it left no mark and made no row")
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		// In this order: if the process ended before the rows are looked for, they show what it did.
		reason, err := r.elsewhere(ctx, lost)
		if err != nil {
			return false, err
		}
		for _, key := range lost.made {
			there, err := Read(ctx, r, resolve, (*queries).RowExists, dbgen.RowExistsParams(key))
			if there || err != nil {
				return there, err
			}
		}
		switch {
		case reason == "":
			return false, nil
		case reason != errUnderWay:
			return false, reason
		}
		if err := wait(ctx, rand.N(pause)); err != nil {
			return false, &FailureError{err: err}
		}
	}
}

const errUnderWay UnresolvedError = "it is still under way"

// unfinished returns the process that answers, whether it is a standby's, and whether the process $1, lost $2 ago,
// still runs. A process younger than the loss is another one with the same number. Only its own role sees its age.
const unfinished = `SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), EXISTS (
	SELECT FROM pg_catalog.pg_stat_activity
	WHERE pid OPERATOR(pg_catalog.=) $1::bigint AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
		AND (backend_start IS NULL OR
			pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) backend_start OPERATOR(pg_catalog.>=) $2::interval)
)`

// elsewhere returns why a missing row may still appear; empty if it cannot.
func (r *Repo) elsewhere(ctx context.Context, lost *Lost) (reason UnresolvedError, err error) {
	err = r.try(ctx, resolve, nil, func(ctx context.Context) error {
		on, err := r.acquire(ctx)
		if err != nil {
			return err
		}
		defer on.release()
		if on.conn == nil || lost.process == 0 {
			reason = "PostgreSQL's process is not known"
			return nil
		}
		var pid uint32
		var standby, unfinishedYet bool
		err = on.QueryRow(ctx, unfinished, int64(lost.process), time.Since(lost.at)).Scan(&pid, &standby, &unfinishedYet)
		switch {
		case err != nil:
		case pid != on.conn.PgConn().PID():
			reason = "asked through a pooler"
		case standby:
			reason = "asked on a standby"
		case address(on.conn) != lost.address:
			reason = "asked at another address"
		case unfinishedYet:
			reason = errUnderWay
		default:
			reason = ""
		}
		return Failed(ctx, on.conn, err, false)
	})
	return reason, err
}

// IsUnresolved returns the reason if err is an UnresolvedError.
func IsUnresolved(err error) (reason string, ok bool) {
	u, ok := errors.AsType[UnresolvedError](err)
	return string(u), ok
}
