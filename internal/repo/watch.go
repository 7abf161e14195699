package repo

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type methodName struct{}

// Method returns the name of the method that a context was made in, as a tracer gets it; empty outside of methods.
func Method(ctx context.Context) string {
	name, _ := ctx.Value(methodName{}).(string)
	return name
}

// hasTracer reports whether a tracer can call Method.
func hasTracer(db DB) bool {
	if pool, ok := db.(*pgxpool.Pool); ok {
		return pool.Config().ConnConfig.Tracer != nil
	}
	conn := connOf(db)
	return conn != nil && conn.Config().Tracer != nil
}

// logRepeat logs that an attempt failed and another follows. It shows only err's code: its message may hold values of
// rows.
func (r *Repo) logRepeat(ctx context.Context, name string, attempt int, err error) {
	if r.log == nil {
		return
	}
	inner := cause(err)
	reason := "connection lost"
	switch f, _ := err.(*FailureError); { //nolint:errorlint // as an attempt made it
	case f != nil && f.Lost != nil:
		reason = "answer lost"
	case IsVictim(inner):
		reason = "transaction failed for another's sake"
	case IsStalePlan(inner):
		reason = "table has changed"
	case IsIsolation(inner):
		reason = "session is not read committed"
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "authdb: repeat", slog.String("method", name), slog.Int("attempt", attempt),
		slog.String("reason", reason), slog.String("sqlstate", pgError(inner).Code))
}

// drop closes a connection whose state is unknown.
func (r *Repo) drop(ctx context.Context, conn *pgx.Conn) {
	r.logDrop(ctx, conn)
	_ = conn.Close(ctx) // the error that matters came earlier
}

func (r *Repo) logDrop(ctx context.Context, conn *pgx.Conn) {
	if r.log == nil {
		return
	}
	r.log.LogAttrs(ctx, slog.LevelWarn, "authdb: connection dropped", slog.String("reason", "rollback failed"),
		slog.Uint64("pid", uint64(conn.PgConn().PID())))
}
