package kit

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
)

// TripConn counts round trips: a write starts one if something was read since the last write.
type TripConn struct {
	net.Conn
	Trips *atomic.Int64
	read  atomic.Bool
}

func (c *TripConn) Write(p []byte) (int, error) {
	if c.read.Swap(false) {
		c.Trips.Add(1)
	}
	return c.Conn.Write(p)
}

func (c *TripConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.read.Store(true)
	}
	return n, err
}

// CountingStore is a store on a pool of one connection, and the round trips it has taken.
func CountingStore(t *testing.T, dsn string, mode pgx.QueryExecMode) (*authdb.Store, *atomic.Int64) {
	t.Helper()
	trips := &atomic.Int64{}
	store := Must[*authdb.Store](t)(authdb.Open(t.Context(), dsn, authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
		cfg.MaxConns = 1
		cfg.ConnConfig.DefaultQueryExecMode = mode
		network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
		cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &TripConn{Conn: conn, Trips: trips}, err
		}
	})))
	t.Cleanup(store.Close)
	return store, trips
}
