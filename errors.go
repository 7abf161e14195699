package authdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/internal/repo"
)

// The kinds of failure that callers tell apart with [errors.Is]. Every error of this package is an [*Error]. A key that
// no row can have, such as an empty id or a token with a NUL byte, is both ErrNotFound and ErrInvalidInput.
var (
	// ErrNotFound: no row has that key, or not in that organization or for that user.
	ErrNotFound = errors.New("not found")
	// ErrConflict: another row has that key. ErrEmailTaken and ErrSlugTaken are conflicts.
	ErrConflict = errors.New("conflict")
	// ErrEmailTaken: another user has that e-mail address.
	ErrEmailTaken = fmt.Errorf("%w: e-mail taken", ErrConflict)
	// ErrSlugTaken: another organization has that slug.
	ErrSlugTaken = fmt.Errorf("%w: slug taken", ErrConflict)
	// ErrReference: the row that a new one belongs to does not exist; [Error.Field] names the column.
	ErrReference = errors.New("missing reference")
	// ErrReferenced: a row of another table, such as one of the caller's own, still refers to the row to delete.
	ErrReferenced = errors.New("still referenced")
	// ErrInvalidInput: an argument was refused before, or by, the database; [Error.Field] and [Error.Reason] say which
	// and why.
	ErrInvalidInput = errors.New("invalid input")
	// ErrCommitUnknown: the answer to a write was lost. It may have been applied, or may yet be. [Store.Resolve] says
	// which, if it can; under [Once] it always can, and makes sure that it stays so.
	ErrCommitUnknown = errors.New("outcome unknown")
	// ErrAlreadyDone: the key of [Once] stands for a write that was done before, and the answer to that is gone.
	ErrAlreadyDone = errors.New("already done")
	// ErrUnavailable: PostgreSQL cannot be reached, is starting or shutting down, has no connection left, or went away.
	// Nothing was applied.
	ErrUnavailable = errors.New("database unavailable")
	// ErrTimeout: PostgreSQL gave up, by statement_timeout, lock_timeout or the like. Nothing was applied. If the
	// context is over, the error is context.Canceled or context.DeadlineExceeded, instead or as well.
	ErrTimeout = errors.New("timed out")
	// ErrIsolation: the caller's transaction is not READ COMMITTED, on which the locks of this operation rely.
	ErrIsolation = errors.New("transaction is not read committed")
	// ErrReadOnly: a standby, or a transaction that only reads, refused to write. Nothing was applied. A store of [Open]
	// leaves a standby and tries again elsewhere, so it returns this only if there is no other PostgreSQL.
	ErrReadOnly = errors.New("read only")
	// ErrBehind: a standby has not replayed a position in time; ask the primary. See [Store.WaitFor].
	ErrBehind = errors.New("standby is behind")
	// ErrSchema: the database lacks a table, a column or a key, or a column has another type; see [Store.CheckSchema].
	ErrSchema = errors.New("schema does not fit")
	// ErrInsecureTLS: a remote host would be reached without verifying its certificate; see [Open] and
	// [WithInsecureTLS].
	ErrInsecureTLS = connect.ErrInsecureTLS
)

// Error is the error of every method of this package. Its text, JSON and log entry hold names of the program and of the
// schema, never a value of a row or an argument, so it may be logged and shown.
//
// errors.Is finds the kind in it (such as [ErrNotFound]) and context.Canceled or context.DeadlineExceeded.
type Error struct {
	Op         string     // the method that failed, such as "Users.Create"
	Table      string     // the table at fault; empty if not known
	Field      string     // the column at fault; empty if not known
	Reason     string     // why, such as empty, too long, malformed or out of range, or what to do
	Constraint string     // the constraint or index that refused, as the database names it
	SQLState   string     // PostgreSQL's code; empty if PostgreSQL did not refuse
	Outcome    Outcome    // whether the write was applied
	Retry      RetryClass // whether to do it again

	kinds []error
	cause error
	lost  *repo.Lost // for Store.Resolve, with OutcomeUnknown
}

// Error describes the failure without any value of a row.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("authdb: " + e.Op + ": ")
	if kind := e.Kind(); kind != nil {
		b.WriteString(kind.Error())
		if e.cause != nil && isOneOf(kind, ErrCommitUnknown, ErrUnavailable, ErrTimeout, ErrSchema) {
			b.WriteString(": " + safeText(e.cause)) // what happened to the connection
		}
	} else {
		b.WriteString(safeText(e.cause))
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if e.SQLState != "" {
		b.WriteString(" (SQLSTATE " + e.SQLState + ")")
	}
	return b.String()
}

// Kind returns the most specific of this package's errors that the error is, or nil if it is none of them.
func (e *Error) Kind() error {
	for _, kind := range e.kinds {
		if !isContextError(kind) {
			return kind
		}
	}
	return nil
}

// Unwrap returns the kinds of the error, and no error of pgx: those hold values of rows.
func (e *Error) Unwrap() []error { return e.kinds }

// Cause returns the error of pgx behind this one, or nil. Its fields can hold e-mail addresses, tokens and whole rows
// (PostgreSQL's DETAIL): do not log it.
func (e *Error) Cause() error { return repo.Cause(e.cause) }

// LogValue logs the text of [Error.Error].
func (e Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Format prints the text of [Error.Error] for every verb, so that %#v shows no cause.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// translate turns what the door returned into an *Error that says what happened in op. It keeps nil and *Error.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: op}
	if refusal, ok := errors.AsType[repo.RefusalError](err); ok {
		e.refuse(refusal)
		return e
	}
	if misuse, ok := errors.AsType[repo.MisuseError](err); ok {
		e.misuse(err, misuse)
		return e
	}
	if reason, ok := errors.AsType[repo.KeyError](err); ok {
		e.kinds, e.Field, e.Reason = []error{ErrInvalidInput}, "once", string(reason)
		return e
	}
	if schema, ok := errors.AsType[repo.SchemaError](err); ok {
		e.kinds, e.Reason = []error{ErrSchema}, schema.Error()
		return e
	}
	if reason, ok := errors.AsType[connect.DSNError](err); ok {
		e.kinds, e.Field, e.Reason = []error{ErrInvalidInput}, "dsn", string(reason)
		return e
	}
	if reason, ok := errors.AsType[repo.UnresolvedError](err); ok {
		e.kinds, e.Reason = []error{ErrCommitUnknown}, string(reason)
		return e
	}
	e.cause = err
	if _, ok := errors.AsType[repo.ShortError](err); ok {
		return e
	}
	failure, _ := errors.AsType[*repo.FailureError](err)
	switch {
	case failure != nil && failure.Lost != nil:
		e.kinds, e.Outcome, e.Retry, e.lost = []error{ErrCommitUnknown}, OutcomeUnknown, RetryResolve, failure.Lost
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
			e.SQLState = pgErr.Code
		}
	case failure != nil && failure.Applied:
		e.Outcome = OutcomeApplied
	case errors.Is(err, pgx.ErrNoRows):
		e.kinds = []error{ErrNotFound}
	case errors.Is(err, repo.ErrAlreadyDone):
		e.kinds, e.cause = []error{ErrAlreadyDone}, nil
	case errors.Is(err, ErrInsecureTLS):
		e.kinds = []error{ErrInsecureTLS}
	case errors.Is(err, repo.ErrBehind):
		e.kinds, e.Reason, e.cause = []error{ErrBehind}, "ask the primary", nil
	default:
		e.classify(err)
	}
	e.addContextErrors()
	return e
}

// misuse makes the error one of a wrong call, or ErrUnavailable for a closed store: that is no fault of the request.
func (e *Error) misuse(err error, misuse repo.MisuseError) {
	e.kinds, e.Field, e.Reason = []error{ErrInvalidInput}, misuse.Field, misuse.Reason
	if misuse == repo.ErrClosed {
		e.kinds = []error{ErrUnavailable}
	}
	if failure, ok := errors.AsType[*repo.FailureError](err); ok {
		e.kinds, e.Outcome, e.Retry, e.lost = append(e.kinds, ErrCommitUnknown), OutcomeUnknown, RetryResolve, failure.Lost
	}
}

// deleted is translate for a delete, in which a violated foreign key is always one that refers to the deleted row.
func deleted(op string, err error) error {
	err = translate(op, err)
	if e, ok := errors.AsType[*Error](err); ok && e.SQLState == repo.ForeignKeyViolation {
		e.kinds, e.Field = []error{ErrReferenced}, ""
	}
	return err
}

// addContextErrors adds the error of the context. A caller who canceled wants no retry; a deadline may just have been
// too close.
func (e *Error) addContextErrors() {
	for _, ctxErr := range contextErrors {
		if errors.Is(e.cause, ctxErr) {
			e.kinds = append(e.kinds, ctxErr)
		}
	}
	if e.Outcome != OutcomeNotApplied {
		return
	}
	switch {
	case errors.Is(e.cause, context.Canceled):
		e.Retry = RetryNever
	case errors.Is(e.cause, context.DeadlineExceeded):
		e.Retry = RetryTransaction
	}
}

var contextErrors = []error{context.Canceled, context.DeadlineExceeded}

func isContextError(err error) bool { return slices.Contains(contextErrors, err) }

func (e *Error) classify(err error) {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		e.classifyLost(err)
		return
	}
	e.SQLState, e.Constraint, e.Table, e.Field = pgErr.Code, pgErr.ConstraintName, pgErr.TableName, pgErr.ColumnName
	switch pgErr.Code {
	case repo.UniqueViolation, repo.ForeignKeyViolation:
		rule := ruleOf(pgErr)
		e.Field = rule.field
		e.kinds = []error{rule.kind}
	case repo.InternalError: // Citus returns this if a worker refused an INSERT with a SELECT
		if rule, ok := ruleIn(pgErr, `constraint "`); ok {
			e.kinds, e.Field = []error{rule.kind}, rule.field
		}
	case repo.RestrictViolation:
		e.kinds = []error{ErrReferenced}
	case repo.NotNullViolation, repo.CheckViolation, repo.StringTooLong, repo.CharacterNotInRepertoire, repo.InvalidText,
		repo.UntranslatableCharacter, repo.DatetimeOverflow, repo.IndexRowTooLong:
		e.kinds = []error{ErrInvalidInput}
	case repo.LockNotAvailable, repo.IdleInTransactionTimeout, repo.TransactionTimeout:
		e.kinds, e.Retry = []error{ErrTimeout}, RetryTransaction
	case repo.ReadOnly:
		e.kinds = []error{ErrReadOnly}
		if repo.IsGone(err) {
			e.Retry = RetryTransaction
		}
	case repo.QueryCanceled:
		e.kinds = []error{ErrTimeout} // a retry would take as long
	default:
		switch {
		case repo.IsIsolation(err):
			e.kinds = []error{ErrIsolation}
		case repo.IsVictim(err), repo.IsStalePlan(err):
			e.Retry = RetryTransaction
		case repo.IsMissing(err):
			e.kinds, e.Reason = []error{ErrSchema}, "run migrate up, or name the schema of the tables in search_path"
		case pgErr.Code == repo.FailedTransaction:
			e.Reason = "a statement before this one failed: return its error, or wrap it in an InTx of its own"
		case pgErr.Code == repo.DuplicateStatement, pgErr.Code == repo.UnknownStatement:
			e.Reason = "behind a pooler, set default_query_exec_mode=exec in the DSN"
		case repo.RefusedParameter(err) != "":
			e.kinds, e.Field = []error{ErrInvalidInput}, "dsn"
			e.Reason = "the pooler refuses the parameter " + repo.RefusedParameter(err) +
				": leave it out, or name it in the pooler's ignore_startup_parameters"
		case repo.IsUnavailable(err), repo.IsGone(err):
			e.kinds, e.Retry = []error{ErrUnavailable}, RetryTransaction
		}
	}
}

// classifyLost classifies errors without an answer from PostgreSQL. A certificate that was refused will be refused
// again.
func (e *Error) classifyLost(err error) {
	if isTLSError(err) || isOneOf(err, contextErrors...) {
		return
	}
	failure, ok := errors.AsType[*repo.FailureError](err)
	if repo.IsUnavailable(err) || ok && (failure.Gone || failure.NotSent) {
		e.kinds, e.Retry = []error{ErrUnavailable}, RetryTransaction
	}
}

func isTLSError(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return verification || authority || host || invalid || record || isAlert(err) ||
		strings.Contains(err.Error(), "refused TLS") || strings.Contains(err.Error(), "channel binding required")
}

// isAlert reports whether PostgreSQL refused the TLS handshake, for its version, say.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return ok && connecting && op.Op == "remote error"
}

// tellingClasses are the SQLSTATE classes whose messages name only objects and states, if PostgreSQL itself wrote them.
// A function, such as the caller's trigger, may raise any code with any text; its errors have a context.
var tellingClasses = []string{"25", "28", "3D", "40", "42", "53", "55", "57", "58"}

// safeText is the text of an error if that holds no value of a row: PostgreSQL quotes values only in classes 22 and 23,
// and pgx in its encoding errors.
func safeText(err error) string {
	if short, ok := errors.AsType[repo.ShortError](err); ok {
		return short.Error()
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if len(pgErr.Code) == 5 && pgErr.Where == "" && slices.Contains(tellingClasses, pgErr.Code[:2]) {
			return pgErr.Message
		}
		return "database error"
	}
	if scan, ok := errors.AsType[pgx.ScanArgError](err); ok {
		return "cannot read column " + scan.FieldName
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return connect.SaidOnce(err.Error())
	}
	if _, ok := errors.AsType[net.Error](err); ok || isOneOf(err, context.Canceled, io.EOF, io.ErrUnexpectedEOF,
		pgconn.ErrConnClosed, pgx.ErrTxCommitRollback) {
		return err.Error()
	}
	return fmt.Sprintf("unexpected error of type %T", repo.Cause(err))
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
