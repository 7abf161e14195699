// Command demo shows authdb at work: it starts PostgreSQL, migrates a database, loads rows that a real Better Auth
// server wrote, and works on them through the public API. Run it in the repository's root:
//
//	go run ./internal/demo [-keep | -stop]
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
	"github.com/zerostarter/authdb/migrate/catalog"
)

const data = "testdata/better-auth-1.6.34"

func main() {
	keep := flag.Bool("keep", false, "leave the server and the database up")
	end := flag.Bool("stop", false, "stop the servers that were left up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	do := func() error { return run(ctx, *keep) }
	if *end {
		do = func() error { return stopKept(ctx) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keep bool) (err error) {
	begin := time.Now()
	heading("A database")
	server, err := pgserver.Start(ctx, pgserver.Options{TCP: keep, Keep: keep, Progress: progress})
	if err != nil {
		return err
	}
	name := "authdb_demo_" + strings.ToLower(rand.Text()[:8])
	if err := onServer(ctx, server, "CREATE DATABASE "+name); err != nil {
		return errors.Join(err, server.Stop())
	}
	defer func() {
		if keep && err == nil {
			printKept(server, name)
			return
		}
		if server.External() {
			// ctx may be over.
			err = errors.Join(err, onServer(context.Background(), server, "DROP DATABASE "+name+" WITH (FORCE)"))
		}
		err = errors.Join(err, server.Stop())
	}()
	fmt.Printf("  PostgreSQL %s from %s, up %s\n", server.Version(), server.Origin(), since(begin))

	dsn := server.DSNFor(name)
	if err := migrateUp(ctx, dsn); err != nil {
		return err
	}
	store, err := authdb.Open(ctx, dsn, authdb.WithInsecureTLS())
	if err != nil {
		return err
	}
	defer store.Close()
	if err := load(ctx, store); err != nil {
		return err
	}
	if err := tour(ctx, store); err != nil {
		return err
	}
	fmt.Printf("\nAll of it took %s.\n", since(begin))
	return nil
}

func onServer(ctx context.Context, server *pgserver.Server, sql string) error {
	conn, err := pgx.Connect(ctx, server.DSN())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func migrateUp(ctx context.Context, dsn string) error {
	start := time.Now()
	m, err := migrate.Open(ctx, dsn, migrate.Options{InsecureTLS: true})
	if err != nil {
		return err
	}
	if err := m.Up(ctx); err != nil {
		return errors.Join(err, m.Close())
	}
	version, _, err := m.Version(ctx)
	fmt.Printf("  migrated to version %d, %s\n", version, since(start))
	return errors.Join(err, m.Close())
}

func load(ctx context.Context, store *authdb.Store) error {
	rows, err := os.ReadFile(data + "/data.sql")
	if err != nil {
		return fmt.Errorf("run me in the repository's root: %w", err)
	}
	start := time.Now()
	if _, err := store.Pool().Exec(ctx, string(rows)); err != nil {
		return err
	}
	fmt.Printf("  loaded the rows of a real Better Auth 1.6.34 server, %s\n", since(start))
	return nil
}

// stopKept ends what runs with -keep have left up.
func stopKept(ctx context.Context) error {
	stopped, err := pgserver.StopKept(ctx)
	for _, dir := range stopped {
		fmt.Printf("stopped and removed %s\n", catalog.Line(dir))
	}
	if len(stopped) == 0 && err == nil {
		fmt.Println("no server of the demo is up")
	}
	return err
}

// printKept prints commands for a shell, each as it can be pasted.
func printKept(server *pgserver.Server, name string) {
	heading("Kept")
	if server.External() {
		fmt.Printf("  database %s on the server that DATABASE_URL names\n", name)
		fmt.Printf("  drop   psql \"$DATABASE_URL\" -c 'DROP DATABASE %s'\n", name)
		return
	}
	fmt.Printf("  DSN    export DATABASE_URL=%s\n", quoted(server.DSNFor(name)))
	if by := server.SocketDSNFor(name); by != "" { // without the password, which the list of processes would show
		fmt.Printf("  psql   psql %s\n", quoted(by))
	}
	fmt.Println("  stop   make demo/stop")
}

// quoted is a word for a shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
