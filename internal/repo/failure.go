package repo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// RefusalError is the word by which a verdict refuses. The query has changed nothing, unless the refusal counts.
type RefusalError string

func (r RefusalError) Error() string { return string(r) }

// ErrWrongCode is a refusal that counts: it counts the guess.
const ErrWrongCode RefusalError = "wrong code"

// counts reports whether what was done along with a refusal stays: a guess is counted, a useless API key is removed.
func (r RefusalError) counts() bool { return r == ErrWrongCode || r == "key expired" || r == "used up" }

// FailureError is an error, and what became of what was sent.
type FailureError struct {
	Lost    *Lost // a write that may have been applied; nil: it was not
	Applied bool  // a write that was applied; its answer cannot be read
	NotSent bool  // nothing was sent
	Gone    bool  // the connection was lost, but not because a context was over

	err error
	ctx error // why the context was over, if err does not say it
}

func (f *FailureError) Error() string { return f.err.Error() }

// Unwrap leads to pgx's error and to that of the context.
func (f *FailureError) Unwrap() []error {
	if f.ctx == nil {
		return []error{f.err}
	}
	return []error{f.err, f.ctx}
}

// IsGone reports whether the connection was lost; see [FailureError].
func IsGone(err error) bool {
	f, ok := errors.AsType[*FailureError](err)
	return ok && f.Gone
}

// Cause is pgx's error in err, or err itself.
func Cause(err error) error {
	if f, ok := errors.AsType[*FailureError](err); ok {
		err = f.err
	}
	switch own := err.(type) { //nolint:errorlint // one by one
	case preparing:
		return own.error
	case scanError:
		return own.error
	}
	return err
}

// last is the key of the last of the rows that are made together: if it exists, all do.
func last(table string, ids []string) Key {
	if len(ids) == 0 {
		return Key{}
	}
	return Key{table, ids[len(ids)-1]}
}

// Lost is a write whose answer was lost, and what can resolve it.
type Lost struct {
	Mark string // the mark that it leaves, if any
	made []Key  // rows that exist if it was applied

	process uint32    // the PostgreSQL process that got it; 0 if not known
	address string    // of PostgreSQL
	at      time.Time // when it was lost
}

// scanError is the error of an answer that came, but cannot be read.
type scanError struct{ error }

func (e scanError) Unwrap() error { return e.error }

// Failed returns err with what became of what was sent on conn (nil if not known) under ctx. It returns the answers
// nil, [pgx.ErrNoRows] and RefusalError as they are, and a MisuseError for what pgx refused to send. A write is lost
// unless something proves that it was not applied; the rows in made can then prove that it was.
func Failed(ctx context.Context, conn *pgx.Conn, err error, writes bool, made ...Key) error {
	if err == nil || err == pgx.ErrNoRows { //nolint:errorlint // as a query returns it
		return err
	}
	if _, ok := err.(RefusalError); ok { //nolint:errorlint // as a query returns it
		return err
	}
	if misuse, ok := misuse(err); ok {
		return misuse
	}
	f := &FailureError{err: err, NotSent: isNotSent(err)}
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) && isByContext(err) {
		f.ctx = ctxErr
	}
	_, answered := errors.AsType[*pgconn.PgError](err)
	closed := conn != nil && conn.IsClosed()
	f.Gone = (IsUnavailable(err) || isEvicted(pgError(err), closed) || closed && !answered) && !isContext(f)
	_, unreadable := errors.AsType[scanError](err)
	switch {
	case !writes:
	case unreadable:
		f.Applied = true
	case !isNotApplied(conn, err):
		f.Lost = &Lost{made: made, at: time.Now()}
		if conn != nil {
			f.Lost.process, f.Lost.address = conn.PgConn().PID(), address(conn)
		}
	}
	return f
}

func address(conn *pgx.Conn) string { return conn.PgConn().Conn().RemoteAddr().String() }

// NotSent is the FailureError of an attempt that found no connection.
func NotSent(ctx context.Context, err error) error {
	err = Failed(ctx, nil, err, false)
	if f, ok := err.(*FailureError); ok { //nolint:errorlint // just made
		f.NotSent = true
	}
	return err
}

// isNotApplied reports whether a write's err proves that nothing was applied. pgconn.SafeToRetry does not prove it: see
// TestSafeToRetryIsWrong.
func isNotApplied(conn *pgx.Conn, err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return isAnswer(pgErr)
	}
	_, preparing := errors.AsType[pgx.ErrPreprocessingBatch](err)
	return isNotSent(err) || preparing || errors.Is(err, pgx.ErrTxCommitRollback) ||
		conn != nil && !conn.IsClosed() && conn.PgConn().TxStatus() == 'I' // pgx refused it before it sent anything
}

// isNotSent reports whether err came before anything was sent.
func isNotSent(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[preparing](err); ok {
		return true
	}
	return hasType(err, "*pgconn.contextAlreadyDoneError") // a context was over; a test fails if pgx renames the type
}

// preparing is the error of a statement that failed while it was prepared, so it did not run.
type preparing struct{ error }

func (e preparing) Unwrap() error { return e.error }

// isByContext reports whether a context that is over can be the reason of err: PostgreSQL answers a cancelled statement
// in this way, and pgx the next one. Any other answer of PostgreSQL's has its own reason.
func isByContext(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || pgErr.Code == QueryCanceled
}

// ShortError says that a trigger of the database left out some of the rows that were to be made together, so that none
// was made.
type ShortError struct {
	*FailureError
	Made string // how many the trigger let through
}

func (e ShortError) Error() string {
	return "of the rows, only " + e.Made + " would have been made: a trigger of the database leaves out the others"
}

// short makes err a ShortError if a query found that rows were left out: its cast to integer fails on a text that no
// other cast is given.
func short(err error) error {
	f, ok := errors.AsType[*FailureError](err)
	if !ok || pgError(err).Code != InvalidText {
		return err
	}
	_, made, ok := strings.Cut(pgError(err).Message, `"rows made: `)
	if !ok {
		return err
	}
	return ShortError{f, strings.TrimRight(made, `"`)}
}
