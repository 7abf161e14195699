package repo

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes, as in PostgreSQL's appendix A.
const (
	TooManyConnections       = "53300"
	StringTooLong            = "22001"
	NumberOutOfRange         = "22003"
	DatetimeOverflow         = "22008"
	CharacterNotInRepertoire = "22021"
	InvalidText              = "22P02"
	UntranslatableCharacter  = "22P05"
	RestrictViolation        = "23001"
	NotNullViolation         = "23502"
	ForeignKeyViolation      = "23503"
	UniqueViolation          = "23505"
	CheckViolation           = "23514"
	ActiveTransaction        = "25001"
	ReadOnly                 = "25006"
	FailedTransaction        = "25P02"
	IdleInTransactionTimeout = "25P03"
	TransactionTimeout       = "25P04"
	UnknownStatement         = "26000"
	SerializationFailure     = "40001"
	DeadlockDetected         = "40P01"
	DuplicateStatement       = "42P05"
	IndexRowTooLong          = "54000"
	LockNotAvailable         = "55P03"
	QueryCanceled            = "57014"
	IdleSessionTimeout       = "57P05"
	InternalError            = "XX000"

	featureNotSupported = "0A000"
	protocolViolation   = "08P01"
	// The class of errors about the connection.
	connectionException = "08"
	operatorShutdown    = "57P0"
)

// pgError is PostgreSQL's error in err, or an empty one.
func pgError(err error) *pgconn.PgError {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr
	}
	return &pgconn.PgError{}
}

// IsVictim reports whether PostgreSQL failed a transaction for another's sake.
func IsVictim(err error) bool {
	pgErr := pgError(err)
	return !isFatal(pgErr) && (pgErr.Code == SerializationFailure || pgErr.Code == DeadlockDetected)
}

// isEvicted reports whether a connection ended, but another would work: a standby refused a write, and so was closed
// here, or it ended a session that was in the way of its replay, also between two statements.
func isEvicted(err *pgconn.PgError, closed bool) bool {
	return closed && err.Code == ReadOnly ||
		isFatal(err) && (err.Code == SerializationFailure || err.Code == DeadlockDetected)
}

// IsStalePlan reports whether a table has changed since a statement was prepared. pgx prepares it anew.
func IsStalePlan(err error) bool {
	pgErr := pgError(err)
	return pgErr.Code == featureNotSupported && pgErr.Routine == "RevalidateCachedQuery"
}

// IsIsolation reports whether a transaction is not READ COMMITTED; see requireReadCommitted. The same error raised by
// the caller's function has a context.
func IsIsolation(err error) bool {
	pgErr := pgError(err)
	return pgErr.Code == ActiveTransaction && pgErr.Where == ""
}

// IsMissing reports whether a table, a column, a schema or a unique key is missing. The same error raised by the
// caller's function has a context.
func IsMissing(err error) bool {
	pgErr := pgError(err)
	return slices.Contains([]string{"42P01", "42703", "3F000", "42P10"}, pgErr.Code) && pgErr.Where == ""
}

// IsUnavailable reports whether PostgreSQL could not be reached, refused a connection for now, or ended one.
func IsUnavailable(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return isShutdown(pgErr) && RefusedParameter(err) == "" || pgErr.Code == TooManyConnections
	}
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	_, isNet := errors.AsType[net.Error](err)
	return isConnect || isNet ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed)
}

// isShutdown reports whether PostgreSQL, or a pooler before it, said that it ends the connection.
func isShutdown(err *pgconn.PgError) bool {
	return strings.HasPrefix(err.Code, operatorShutdown) || strings.HasPrefix(err.Code, connectionException)
}

// isFatal reports whether the error ended the connection.
func isFatal(err *pgconn.PgError) bool {
	severity := err.SeverityUnlocalized
	if severity == "" {
		severity = err.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}

// isAnswer reports whether PostgreSQL certainly refused. An error that ends the connection may come after a commit that
// waits for a standby; but an idle session had not even read the statement.
func isAnswer(err *pgconn.PgError) bool {
	return err.Code != "" && (!isShutdown(err) && !isFatal(err) ||
		slices.Contains([]string{IdleInTransactionTimeout, IdleSessionTimeout}, err.Code))
}

// RefusedParameter returns the start-up parameter that a pooler refuses, by PgBouncer's wording; empty for any other
// error. The same error raised by the caller's function has a context.
func RefusedParameter(err error) string {
	pgErr := pgError(err)
	text, ok := strings.CutPrefix(pgErr.Message, "unsupported startup parameter")
	if ok && pgErr.Code == protocolViolation && pgErr.Where == "" {
		_, name, _ := strings.Cut(text, ": ")
		return name
	}
	return ""
}
