package repo

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Query calls one generated query on the Repo it is given and keeps the result. It is called twice, and must do the
// same both times.
type Query func(r *Repo) error

const (
	beginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	commit        = "COMMIT"
)

// Pipeline runs queries in one round trip (two where a connection has not prepared them yet) and on one snapshot:
// a read-only REPEATABLE READ transaction that travels along, or the transaction that the Repo is on. One query alone
// has a snapshot by nature; on a handle of an unknown type, each query has its own.
//
// Generated queries read their rows before they return, so each is called once to note its SQL and arguments and, when
// the answers are there, once more to scan them: sqlc's scanning serves here too. (With sqlc's exported query texts
// and pgx.RowToStructByPos, the other way, the scan of every joined row would have to be written again: pgx does not
// look into the named fields that sqlc.embed makes.)
func (r *Repo) Pipeline(ctx context.Context, queries ...Query) error {
	batch := &pgx.Batch{}
	own := len(queries) > 1 && r.ownsTransaction()
	if own {
		batch.Queue(beginSnapshot)
	}
	if err := r.record(batch, queries); err != nil {
		return err
	}
	if own {
		batch.Queue(commit)
	}
	return r.play(ctx, batch, own, queries)
}

// record queues the statement of each query.
func (r *Repo) record(batch *pgx.Batch, queries []Query) error {
	note := &recorder{batch: batch}
	for i, query := range queries {
		if err := query(r.On(note)); !errors.Is(err, errNoted) || note.count != i+1 {
			return fmt.Errorf("query %d of a pipeline sent %d statements: %w", i, note.count-i, err)
		}
	}
	return nil
}

func (r *Repo) play(ctx context.Context, batch *pgx.Batch, own bool, queries []Query) (err error) {
	results := r.db.SendBatch(ctx, batch)
	defer func() {
		err = errors.Join(err, results.Close())
		if own && err != nil {
			r.rollback(ctx)
		}
	}()
	if own {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	answers := r.On(player{results: results})
	for _, query := range queries {
		if err := query(answers); err != nil {
			return err
		}
	}
	if own {
		_, err = results.Exec()
	}
	return err
}

// ownsTransaction reports whether the Repo's handle is known to be outside a transaction. On a type that it does not
// know, a COMMIT could end the caller's.
func (r *Repo) ownsTransaction() bool {
	if _, ok := r.raw.(*pgxpool.Pool); ok {
		return true
	}
	conn := r.conn()
	return conn != nil && conn.PgConn().TxStatus() == 'I'
}

// rollback ends a snapshot that an error left open on a single connection, or closes that, as pgx does where a rollback
// fails; a pool throws such a connection away.
func (r *Repo) rollback(ctx context.Context) {
	conn := r.conn()
	if conn == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil { // the error that matters is the first one
		_ = conn.Close(ctx)
	}
}

// conn returns the one connection that the handle is, or is on; nil for a pool or an unknown type.
func (r *Repo) conn() *pgx.Conn { return connOf(r.raw) }

func connOf(db DB) *pgx.Conn {
	switch db := db.(type) {
	case *pgx.Conn:
		return db
	case interface{ Conn() *pgx.Conn }: // pgx.Tx, pgxpool.Conn
		return db.Conn()
	}
	return nil
}

var errNoted = errors.New("noted")

// recorder queues what it is asked to run.
type recorder struct {
	unused
	batch *pgx.Batch
	count int
}

func (n *recorder) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	n.batch.Queue(sql, args...)
	n.count++
	return nil, errNoted
}

func (n *recorder) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	_, err := n.Query(ctx, sql, args...)
	return errRow{err}
}

func (n *recorder) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	_, err := n.Query(ctx, sql, args...)
	return pgconn.CommandTag{}, err
}

type errRow struct{ err error }

func (r errRow) Scan(...any) error { return r.err }

// player answers with the results of the batch, in the order in which they were queued.
type player struct {
	unused
	results pgx.BatchResults
}

func (p player) Query(context.Context, string, ...any) (pgx.Rows, error) { return p.results.Query() }

func (p player) QueryRow(context.Context, string, ...any) pgx.Row { return p.results.QueryRow() }

func (p player) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return p.results.Exec()
}

// unused are the calls that no Query makes.
type unused struct{}

var errNotPipelined = errors.New("COPY is not pipelined")

func (unused) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errNotPipelined
}

func (unused) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults { return nil }
