package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/internal/repo"
)

var replication = []string{
	"wal_level=replica", "max_wal_senders=4", "wal_keep_size=256MB", "wal_retrieve_retry_interval=100ms",
}

// TestFailover kills a primary under writes and promotes its standby, to and fro. A store whose DSN names both goes on by
// itself, and where the standby is a synchronous one, nothing that was acknowledged is lost. The control is a standby
// that lags.
func TestFailover(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary := private(t, replication...)
	if _, err := os.Stat(filepath.Join(primary.Origin(), "pg_basebackup")); err != nil {
		say := t.Logf
		if os.Getenv("CI") != "" {
			say = t.Errorf
		}
		say("nothing fails over: there is no pg_basebackup beside the server: %v", err)
		return
	}
	standby := private(t, replication...)
	setUpLoad(t, primary)
	if err := standby.End(ctx, pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
	var hosts [2]string
	for i, s := range []*pgserver.Server{primary, standby} {
		cfg, err := pgx.ParseConfig(s.DSN())
		if err != nil {
			t.Fatal(err)
		}
		hosts[i] = cfg.Host
	}
	dsn := "postgres:///postgres?" + url.Values{
		"host": {hosts[0] + "," + hosts[1]}, "port": {"5432,5432"}, "user": {"postgres"}, "sslmode": {"disable"},
		"target_session_attrs": {"read-write"},
	}.Encode()

	var l *load
	failOver := func(lags bool) (first time.Duration) {
		if err := standby.Follow(ctx, primary); err != nil {
			t.Fatal(err)
		}
		state := "async"
		if !lags {
			state = "sync"
			execOn(t, primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
			execOn(t, primary, "SELECT pg_reload_conf()")
		}
		awaitOn(t, primary, fmt.Sprintf(`SELECT EXISTS (SELECT FROM pg_stat_replication
			WHERE application_name = 'walreceiver' AND state = 'streaming' AND sync_state = '%s')`, state))
		l.busy(t)
		if lags {
			execOn(t, standby, "ALTER SYSTEM SET primary_conninfo = ''")
			execOn(t, standby, "SELECT pg_reload_conf()")
			awaitOn(t, standby, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")
			l.busy(t)
		}
		_ = sleep(ctx, rand.N(20*pause))
		l.faults.Add(1)
		if err := primary.End(ctx, pgserver.Kill); err != nil {
			t.Fatal(err)
		}
		awaitOn(t, standby, "SELECT pg_promote(false)")
		awaitOn(t, standby, "SELECT NOT pg_is_in_recovery()")
		primary, standby = standby, primary
		return l.busy(t)
	}

	var longest time.Duration
	l = newLoad(t, dsn, "synchronous")
	for range sizeOf(t).failovers {
		longest = max(longest, failOver(false))
	}
	record(t, "failovers to a synchronous standby under 16 workers", l.faults.Load())
	l.record(t, l.judge(t, primary), longest)

	l = newLoad(t, dsn, "lagging")
	l.loses = true
	for range sizeOf(t).lagging {
		failOver(true)
	}
	gone := l.judge(t, primary)[lost]
	record(t, fmt.Sprintf("control, %d failovers to a standby that lags: acknowledged, and lost", l.faults.Load()), gone)
	if gone == 0 {
		t.Error("the control loses nothing")
	}
}

// awaitOn waits until a question is answered with yes. What a standby replays may end a question.
func awaitOn(t *testing.T, server *pgserver.Server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ceiling)
	defer cancel()
	query(t, server, func(conn *pgx.Conn) error {
		for {
			var yes bool
			err := conn.QueryRow(ctx, sql).Scan(&yes)
			conflict, ok := errors.AsType[*pgconn.PgError](err)
			if yes || err != nil && (!ok || conflict.Code != repo.SerializationFailure) {
				return err
			}
			if err := sleep(ctx, pause); err != nil {
				return fmt.Errorf("waiting: %s: %w", sql, err)
			}
		}
	})
}
