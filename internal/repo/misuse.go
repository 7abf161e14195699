package repo

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// MisuseError says how the library was misused, and what to do.
type MisuseError struct{ Field, Reason string }

func (e MisuseError) Error() string { return e.Field + ": " + e.Reason }

// ErrClosed is the only misuse that a correct program may meet, as it ends.
var ErrClosed = MisuseError{"store", "closed: use it before Close, or open another"}

var (
	errNoDB      = MisuseError{"store", "without a database: make it by Open, or by New with one that is not nil"}
	errEnded     = MisuseError{"store", "its transaction has ended: use it in the function of InTx, or before the commit"}
	errBusy      = MisuseError{"store", "its connection is busy: close rows, and use it from one goroutine at a time"}
	errEndedIn   = MisuseError{"tx", "a statement of the function has ended it, which InTx does"}
	errNoContext = MisuseError{"ctx", "nil: pass context.Background() where there is none"}
)

// misuse returns the MisuseError that err is, or that pgx's error amounts to.
func misuse(err error) (MisuseError, bool) {
	switch own, ok := errors.AsType[MisuseError](err); {
	case ok:
		return own, true
	case errors.Is(err, puddle.ErrClosedPool):
		return ErrClosed, true
	case errors.Is(err, pgx.ErrTxClosed):
		return errEnded, true
	case isBusy(err):
		return errBusy, true
	}
	return MisuseError{}, false
}

// isBusy reports whether pgconn refused a connection that is in use. pgx exports no name for that error.
func isBusy(err error) bool {
	return hasType(err, "*pgconn.connLockError") && !errors.Is(err, pgconn.ErrConnClosed)
}

// hasType reports whether err has an error of that type, for types that are not exported.
func hasType(err error, name string) bool {
	if err == nil {
		return false
	}
	if fmt.Sprintf("%T", err) == name {
		return true
	}
	switch w := err.(type) { //nolint:errorlint // this walks the tree
	case interface{ Unwrap() error }:
		return hasType(w.Unwrap(), name)
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			if hasType(inner, name) {
				return true
			}
		}
	}
	return false
}

// check returns a MisuseError if nothing can be sent with this Repo or context.
func (r *Repo) check(ctx context.Context) error {
	switch {
	case r.db == nil:
		return errNoDB
	case ctx == nil:
		return errNoContext
	case r.misuse != MisuseError{}:
		return r.misuse
	}
	for a := columnsOf(ctx); a != nil; a = a.before {
		if a.misuse != (MisuseError{}) {
			return a.misuse
		}
	}
	return nil
}

// nonNil returns db, or nil if it is a nil pointer.
func nonNil(db DB) DB {
	if v := reflect.ValueOf(db); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return db
}
