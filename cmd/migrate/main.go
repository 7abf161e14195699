// Command migrate brings a database to the schema of authdb.
//
//	migrate [flags] up
//	migrate [flags] down N
//	migrate [flags] version
//
// The database is the one of the flag, or of the environment variable DATABASE_URL. Results go to standard output,
// errors to standard error; the exit code is 0, 1 for a failure, 2 for wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/zerostarter/authdb/internal/migrator"
)

const usage = `migrate brings a database to the schema of authdb.

  migrate [flags] up        apply every migration that the database lacks
  migrate [flags] down N    undo the newest N migrations
  migrate [flags] version   print the newest applied migration

flags:
  -database-url URL   the database; default: $DATABASE_URL
  -insecure-tls       reach a remote host without verifying its certificate, as the URL's sslmode says
`

var errUsage = errors.New("wrong usage; see migrate -h")

func main() {
	switch err := run(context.Background(), os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dsn := flags.String("database-url", os.Getenv("DATABASE_URL"), "")
	insecure := flags.Bool("insecure-tls", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	command, err := parse(flags.Args())
	if err != nil {
		return err
	}
	if *dsn == "" {
		return fmt.Errorf("%w: no database: set DATABASE_URL or -database-url", errUsage)
	}
	m, err := migrator.Open(ctx, *dsn, migrator.Options{InsecureTLS: *insecure})
	if err != nil {
		return err
	}
	err = command(ctx, m)
	if err == nil {
		err = printVersion(m, out)
	}
	return errors.Join(err, m.Close())
}

// parse tells a wrong command before anything connects.
func parse(args []string) (func(context.Context, *migrator.Migrator) error, error) {
	switch {
	case len(args) == 1 && args[0] == "up":
		return func(ctx context.Context, m *migrator.Migrator) error { return m.Up(ctx) }, nil
	case len(args) == 1 && args[0] == "version":
		return func(context.Context, *migrator.Migrator) error { return nil }, nil
	case len(args) == 2 && args[0] == "down":
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%w: down takes how many migrations to undo", errUsage)
		}
		return func(_ context.Context, m *migrator.Migrator) error { return m.Down(n) }, nil
	}
	return nil, errUsage
}

func printVersion(m *migrator.Migrator, out io.Writer) error {
	version, dirty, err := m.Version()
	if err != nil {
		return err
	}
	if dirty {
		return fmt.Errorf("version %d is dirty: it stopped half-way", version)
	}
	_, err = fmt.Fprintln(out, version)
	return err
}
