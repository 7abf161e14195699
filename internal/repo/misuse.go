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

// MisuseError is what was wrong with how the library was called, and what to do.
type MisuseError struct{ Field, Reason string }

func (e MisuseError) Error() string { return e.Field + ": " + e.Reason }

// ErrClosed is the one misuse that a program meets as it ends.
var ErrClosed = MisuseError{"store", "closed: use it before Close, or open another"}

var (
	errNoDB      = MisuseError{"store", "without a database: make it by Open, or by New with one that is not nil"}
	errEnded     = MisuseError{"store", "its transaction has ended: use it in the function of InTx, or before the commit"}
	errBusy      = MisuseError{"store", "its connection is busy: close rows, and use it from one goroutine at a time"}
	errEndedIn   = MisuseError{"tx", "a statement of the function has ended it, which InTx does"}
	errNoContext = MisuseError{"ctx", "nil: pass context.Background() where there is none"}
)

// misuse returns the MisuseError that err is, or that an error of pgx's stands for.
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

// isBusy tells the error with which pgconn refuses a connection that is in use. pgx has no exported name for it.
func isBusy(err error) bool {
	return hasType(err, "*pgconn.connLockError") && !errors.Is(err, pgconn.ErrConnClosed)
}

// hasType reports whether there is an error of that type in err, for the types that have no exported name.
func hasType(err error, name string) bool {
	if err == nil {
		return false
	}
	if fmt.Sprintf("%T", err) == name {
		return true
	}
	switch w := err.(type) { //nolint:errorlint // walks the tree itself
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

// check returns a MisuseError for a Repo or a context that nothing can be sent with.
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

// nonNil is db; nil, too, where it is a nil pointer to something.
func nonNil(db DB) DB {
	if v := reflect.ValueOf(db); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return db
}
