package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/connect"
)

const externalTimeout = 10 * time.Second

func external(ctx context.Context, dsn string) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, externalTimeout)
	defer cancel()
	if connect.Ambiguous(dsn) {
		return nil, errors.New("DATABASE_URL is no connection string (not shown, as it may hold a password)")
	}
	version, err := ping(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("the server that DATABASE_URL names does not answer: %w", err)
	}
	return &Server{dsn: dsn, origin: "DATABASE_URL", version: version}, nil
}

// ping connects once and returns the server's version.
func ping(ctx context.Context, dsn string) (string, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// A pooler accepts connections even when its server is down.
	if _, err := conn.Exec(ctx, "select 1").ReadAll(); err != nil {
		return "", err
	}
	version, _, _ := strings.Cut(conn.ParameterStatus("server_version"), " ")
	return version, nil
}
