package repo

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// FaultError is an error of a handle with what the error alone does not tell. Most of all: a cancelled wait for a connection
// and a cancelled statement are the same context.Canceled.
type FaultError struct {
	Sent    bool   // whether a byte of the statement may have left
	Process uint32 // the server's process that got it; 0 if not known

	err error
	ctx error // why the context was over, where err does not say it
}

func (f *FaultError) Error() string { return f.err.Error() }

// Unwrap leads to pgx's error and to that of the context.
func (f *FaultError) Unwrap() []error {
	if f.ctx == nil {
		return []error{f.err}
	}
	return []error{f.err, f.ctx}
}

// NotSent reports whether err, not nil, came before anything was sent.
func NotSent(err error) bool {
	if f, ok := errors.AsType[*FaultError](err); ok {
		return !f.Sent
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return isAlreadyDone(err)
}

// ProcessOf returns the Process of the FaultError in err, else 0.
func ProcessOf(err error) uint32 {
	if f, ok := errors.AsType[*FaultError](err); ok {
		return f.Process
	}
	return 0
}

// Bare returns err without what this package put around it.
func Bare(err error) error {
	for {
		switch w := err.(type) { //nolint:errorlint // unwraps one by one
		case *FaultError:
			err = w.err
		case *KeyedError:
			err = w.err
		default:
			return err
		}
	}
}

// isAlreadyDone tells the error with which pgconn refuses a context that is over before it sends anything. pgx has no
// exported name for it; a change of the type's would make outcomes unknown, and fail a test.
func isAlreadyDone(err error) bool {
	if err == nil {
		return false
	}
	if fmt.Sprintf("%T", err) == "*pgconn.contextAlreadyDoneError" {
		return true
	}
	switch w := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() error }:
		return isAlreadyDone(w.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			if isAlreadyDone(inner) {
				return true
			}
		}
	}
	return false
}

// NewFault returns what became of a statement that conn, nil if not known, was given under ctx. It returns nil for nil.
func NewFault(ctx context.Context, conn *pgx.Conn, err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if _, ok := errors.AsType[*FaultError](err); ok {
		return err
	}
	f := &FaultError{err: err, Sent: !NotSent(err)}
	if conn != nil {
		f.Process = conn.PgConn().PID()
	}
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) && isByContext(err) {
		f.ctx = ctxErr
	}
	return f
}

// NotBegun is NewFault for a transaction that was never begun, so that nothing in it was sent.
func NotBegun(ctx context.Context, err error) error {
	err = NewFault(ctx, nil, err)
	if f, ok := errors.AsType[*FaultError](err); ok {
		f.Sent = false
	}
	return err
}

// Ping asks the database for nothing.
func (r *Repo) Ping(ctx context.Context) error {
	_, err := r.db.Exec(ctx, "SELECT 1")
	return err
}

const queryCanceled = "57014"

// isByContext reports whether a context that is over can be why err happened: the server answers a cancelled statement
// like this, and pgx the next one. Any other answer of the server's is its own.
func isByContext(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return !ok || pgErr.Code == queryCanceled
}

// handle is a DB whose errors are FaultErrors. On a pool it takes the connection itself, to tell whether it got one.
type handle struct{ DB }

func withFaults(db DB) DB {
	switch db.(type) {
	case *recorder, player: // the batch behind them has FaultErrors
		return db
	}
	return handle{db}
}

// held is a connection, or what stands for one, for one statement.
type held struct {
	DB
	ctx     context.Context // of the statement
	conn    *pgx.Conn
	release func()
}

func (h handle) hold(ctx context.Context) (*held, error) {
	if pool, ok := h.DB.(*pgxpool.Pool); ok {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, &FaultError{err: err}
		}
		return &held{DB: conn, ctx: ctx, conn: conn.Conn(), release: conn.Release}, nil
	}
	conn := connOf(h.DB)
	if conn != nil && conn.IsClosed() {
		closed := &held{ctx: ctx, conn: conn}
		fault, _ := errors.AsType[*FaultError](closed.fault(pgconn.ErrConnClosed))
		fault.Sent = false
		return nil, fault
	}
	return &held{DB: h.DB, ctx: ctx, conn: conn, release: func() {}}, nil
}

func (h *held) fault(err error) error { return NewFault(h.ctx, h.conn, err) }

// done releases the connection, once.
func (h *held) done() {
	h.release()
	h.release = func() {}
}

func (h handle) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	on, err := h.hold(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer on.done()
	tag, err := on.Exec(ctx, sql, args...)
	return tag, on.fault(err)
}

func (h handle) CopyFrom(
	ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource,
) (int64, error) {
	on, err := h.hold(ctx)
	if err != nil {
		return 0, err
	}
	defer on.done()
	n, err := on.CopyFrom(ctx, table, columns, source)
	return n, on.fault(err)
}

func (h handle) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	on, err := h.hold(ctx)
	if err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).Query() // rows with that error
	}
	rows, err := on.Query(ctx, sql, args...)
	if err != nil {
		on.done()
		return rows, on.fault(err)
	}
	return &heldRows{rows, on, on.done}, nil
}

func (h handle) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	on, err := h.hold(ctx)
	if err != nil {
		return errRow{err}
	}
	return heldRow{on.QueryRow(ctx, sql, args...), on, on.done}
}

func (h handle) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	on, err := h.hold(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return heldBatch{on.SendBatch(ctx, b), on}
}

type heldRows struct {
	pgx.Rows
	on   *held
	done func()
}

func (r *heldRows) Close() {
	r.Rows.Close()
	r.done()
}

func (r *heldRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *heldRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return r.on.fault(err)
}

func (r *heldRows) Err() error { return r.on.fault(r.Rows.Err()) }

type heldRow struct {
	pgx.Row
	on   *held
	done func()
}

func (r heldRow) Scan(dest ...any) error {
	defer r.done()
	return r.on.fault(r.Row.Scan(dest...))
}

// heldBatch keeps its connection until it is closed, whatever its rows do.
type heldBatch struct {
	pgx.BatchResults
	on *held
}

func (b heldBatch) Exec() (pgconn.CommandTag, error) {
	tag, err := b.BatchResults.Exec()
	return tag, b.on.fault(err)
}

func (b heldBatch) Query() (pgx.Rows, error) {
	rows, err := b.BatchResults.Query()
	return &heldRows{rows, b.on, func() {}}, b.on.fault(err)
}

func (b heldBatch) QueryRow() pgx.Row {
	return heldRow{b.BatchResults.QueryRow(), b.on, func() {}}
}

func (b heldBatch) Close() error {
	defer b.on.done()
	return b.on.fault(b.BatchResults.Close())
}

// SendBatch sends b; its statements are one implicit transaction, unless the Repo is in one already. What they did is
// durable only once Close has returned nil.
func (r *Repo) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return r.db.SendBatch(ctx, b)
}
