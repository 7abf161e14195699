package authdb

import (
	"context"
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
	// ErrReferenced: a row of another table, such as one of the caller's own, stands in the way of a delete.
	ErrReferenced = errors.New("still referenced")
	// ErrInvalidInput: an argument was refused before, or by, the database; [Error.Field] and [Error.Reason] say which
	// and why.
	ErrInvalidInput = errors.New("invalid input")
	// ErrInsecureTLS: a remote host would be reached without verifying its certificate; see [Open] and
	// [WithInsecureTLS].
	ErrInsecureTLS = connect.ErrInsecureTLS
)

// Error is the error of every method of this package. It holds names of the program and of the schema, never a value
// of a row or an argument, so it may be logged and shown.
//
// errors.Is finds the kind in it (such as [ErrNotFound]) and context.Canceled or context.DeadlineExceeded.
type Error struct {
	Op         string // the method that failed, such as "Users.Create"
	Field      string // the column at fault; empty if not known
	Reason     string // why ErrInvalidInput: empty, too long, NUL byte, not UTF-8, malformed or out of range
	Constraint string // the constraint or index that refused, as the database names it
	SQLState   string // PostgreSQL's code; empty if the server did not refuse

	kinds []error
	cause error
}

// Error describes the failure without any value of a row.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("authdb: " + e.Op + ": ")
	if len(e.kinds) > 0 && !isContextError(e.kinds[0]) {
		b.WriteString(e.kinds[0].Error())
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

// Unwrap returns the kinds of the error. It leads to no error of pgx: those hold values of rows.
func (e *Error) Unwrap() []error { return e.kinds }

// Cause returns the error of pgx behind this one, or nil. Its fields can hold e-mail addresses, tokens and whole rows
// (PostgreSQL's DETAIL): do not log it.
func (e *Error) Cause() error { return e.cause }

// LogValue logs the text of [Error.Error].
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Format prints the text of [Error.Error] for every verb, so that %#v shows no cause.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// translate turns an error of pgx into an *Error that says what happened in op. It keeps nil and *Error as they are.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: op, cause: err}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		e.kinds = []error{ErrNotFound}
	case errors.Is(err, ErrInsecureTLS):
		e.kinds = []error{ErrInsecureTLS}
	case isParseError(err):
		e.kinds, e.Field, e.Reason = []error{ErrInvalidInput}, "dsn", "malformed"
	default:
		e.classify(err)
	}
	for _, ctxErr := range contextErrors {
		if errors.Is(err, ctxErr) {
			e.kinds = append(e.kinds, ctxErr)
		}
	}
	return e
}

var contextErrors = []error{context.Canceled, context.DeadlineExceeded}

func isContextError(err error) bool { return slices.Contains(contextErrors, err) }

func (e *Error) classify(err error) {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return
	}
	e.SQLState, e.Constraint, e.Field = pgErr.Code, pgErr.ConstraintName, pgErr.ColumnName
	switch pgErr.Code {
	case uniqueViolation, foreignKeyViolation:
		rule := ruleOf(pgErr)
		e.Field = rule.field
		e.kinds = []error{rule.kind}
	case restrictViolation:
		e.kinds = []error{ErrReferenced}
	case notNullViolation, checkViolation, stringTooLong, characterNotInRepertoire, invalidText,
		datetimeOverflow, indexRowTooLong:
		e.kinds = []error{ErrInvalidInput}
	}
}

// affected is translate for a write that must have met a row. It inserts nothing, so a foreign key that it violates is
// that of a row which points at its own.
func affected(op string, rows int64, err error) error {
	if err == nil && rows == 0 {
		err = pgx.ErrNoRows
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == foreignKeyViolation {
		return &Error{
			Op: op, Constraint: pgErr.ConstraintName, SQLState: pgErr.Code, kinds: []error{ErrReferenced}, cause: err,
		}
	}
	return translate(op, err)
}

// isParseError tells a DSN that pgx cannot read. Its text may quote the password, which pgx finds only in DSNs that it
// can read.
func isParseError(err error) bool {
	_, ok := errors.AsType[*pgconn.ParseConfigError](err)
	return ok
}

// tellingClasses are the SQLSTATE classes whose messages name objects and states only.
var tellingClasses = []string{"25", "28", "3D", "40", "42", "53", "55", "57", "58"}

// safeText is the text of an error where that holds no value of a row: PostgreSQL quotes values in classes 22 and 23
// only, and pgx in its encoding errors.
func safeText(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if len(pgErr.Code) == 5 && slices.Contains(tellingClasses, pgErr.Code[:2]) {
			return pgErr.Message
		}
		return "database error"
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return err.Error()
	}
	if _, ok := errors.AsType[net.Error](err); ok || isOneOf(err, context.Canceled, io.EOF, io.ErrUnexpectedEOF,
		pgconn.ErrConnClosed, pgx.ErrTxClosed, pgx.ErrTxCommitRollback) {
		return err.Error()
	}
	return fmt.Sprintf("unexpected error of type %T", err)
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
