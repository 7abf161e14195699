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
	if _, err := connect.Parse(dsn); err != nil {
		return nil, fmt.Errorf("DATABASE_URL is %w", err)
	}
	version, err := ping(ctx, dsn)
	if err != nil {
		return nil, errors.New("the server that DATABASE_URL names does not answer: " + connect.SaidOnce(err.Error()))
	}
	return &Server{dsn: dsn, origin: "DATABASE_URL", version: version}, nil
}

// ping connects once and returns the server's version.
func ping(ctx context.Context, dsn string) (string, error) {
	cfg, err := connect.Parse(dsn)
	if err != nil {
		return "", err
	}
	conn, err := pgconn.ConnectConfig(ctx, &cfg.ConnConfig.Config)
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
