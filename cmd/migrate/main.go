// Command migrate brings a database to the schema of authdb, and tells how far it is from it. Its help says how.
//
// Results go to standard output, progress and errors to standard error.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/zerostarter/authdb/internal/connect"
	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/migrate"
)

// The exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
	exitPending
	exitDrift
	exitLockTimeout
	exitDirty
	exitConnect
)

var (
	errUsage   = errors.New("wrong usage")
	errPending = errors.New("migrations are pending")
)

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errPending):
		return exitPending
	case errors.Is(err, migrate.ErrDrift), errors.Is(err, migrate.ErrNoTables), errors.Is(err, migrate.ErrNotOurs):
		return exitDrift
	case errors.Is(err, migrate.ErrLockTimeout):
		return exitLockTimeout
	case errors.Is(err, migrate.ErrDirty):
		return exitDirty
	case errors.Is(err, migrate.ErrConnect), errors.Is(err, connect.ErrInsecureTLS):
		return exitConnect
	default:
		return exitFailure
	}
}

func main() {
	ctx, interrupt := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	out, log := screen{os.Stdout, true}, screen{os.Stderr, true}
	err := run(ctx, interrupt, signals, os.Args[1:], out, log)
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, errPending) {
		// Lines within it are indented, so that no name in it can pass for a line of ours.
		_ = log.strong("migrate:", " "+strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  ")+"\n")
	}
	os.Exit(exitCode(err))
}

// config is what the flags say.
type config struct {
	url, dir, journal                                    string
	insecure, json, dryRun, superset, complete, fix, yes bool
	version                                              bool
	waitForDB, lockTimeout, statementTimeout             time.Duration
}

func run(ctx context.Context, interrupt func(), signals <-chan os.Signal, args []string, out, log screen) (err error) {
	var c config
	p := &printer{out: out}
	defer func() { err = errors.Join(err, p.failure(err)) }()
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.url, "database-url", "", "")
	flags.BoolVar(&c.insecure, "insecure-tls", false, "")
	flags.BoolVar(&c.json, "json", false, "")
	flags.BoolVar(&c.dryRun, "dry-run", false, "")
	flags.BoolVar(&c.superset, "superset", false, "")
	flags.BoolVar(&c.complete, "complete", false, "")
	flags.BoolVar(&c.fix, "fix", false, "")
	flags.BoolVar(&c.yes, "yes", false, "")
	flags.BoolVar(&c.version, "version", false, "")
	flags.StringVar(&c.dir, "dir", "", "")
	flags.StringVar(&c.journal, "drizzle-journal", "", "")
	flags.DurationVar(&c.waitForDB, "wait-for-db", 0, "")
	flags.DurationVar(&c.lockTimeout, "lock-timeout", migrate.DefaultLockTimeout, "")
	flags.DurationVar(&c.statementTimeout, "statement-timeout", 0, "")
	words, err := parse(flags, args)
	p.json = c.json
	if slices.ContainsFunc(args, hasPassword) { // wherever it stands; other errors may quote the argument
		return fmt.Errorf("%w: an argument holds a password, which the list of processes shows to every user of this machine: "+
			"set DATABASE_URL, or PGPASSFILE", errUsage)
	}
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(out, usage)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w; see migrate -h", errUsage, err)
	}
	if c.version && len(words) == 0 {
		return p.program()
	}
	v, err := find(words, flags)
	if err != nil {
		return err
	}
	if v.offline != nil {
		return v.offline(c, words[1:], p)
	}
	if c.url == "" {
		c.url = os.Getenv("DATABASE_URL")
	}
	if c.url == "" {
		return fmt.Errorf("%w: no database: set DATABASE_URL or --database-url", errUsage)
	}
	defer term.Wait(func(so time.Duration) { fmt.Fprintf(log, "msg=working for=%s\n", so) })()
	m, err := migrate.Open(ctx, c.url, migrate.Options{
		InsecureTLS: c.insecure, WaitForDB: c.waitForDB, LockTimeout: c.lockTimeout, StatementTimeout: c.statementTimeout,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
	})
	if err != nil {
		return err
	}
	go func() { // the first signal stops after the migration under way, the second ends it
		<-signals
		interrupt()
		<-signals
		_ = m.Cancel(context.Background())
	}()
	return errors.Join(v.online(ctx, m, c, words[1:], p), m.Close())
}

// passwordKey takes every space for one that pgx passes over, and any text before it, such as the quote of another value.
var passwordKey = regexp.MustCompile(`(?i)password[\s\v]*=`)

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// hasPassword reports whether there may be a password in an argument, which may be a connection string, be it well formed
// or not.
func hasPassword(dsn string) bool {
	if passwordKey.MatchString(unescape(dsn)) || passwordKey.MatchString(dsn) {
		return true
	}
	path, _, _ := strings.Cut(dsn, "?") // behind it, an @ that is escaped is a value's
	for _, url := range []string{dsn, unescape(path)} {
		_, rest, isURL := strings.Cut(url, "://")
		if at := strings.LastIndex(rest, "@"); isURL && at >= 0 && strings.Contains(rest[:at], ":") {
			return true
		}
	}
	return false
}

func unescape(s string) string {
	return escape.ReplaceAllStringFunc(s, func(s string) string {
		b, _ := hex.DecodeString(s[1:])
		return string(b)
	})
}

// withoutTime keeps progress short: whoever collects it has the time already.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// parse takes flags before, between and behind the words.
func parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

// find returns the verb that the words name, if they and the flags suit it.
func find(words []string, flags *flag.FlagSet) (verb, error) {
	if len(words) == 0 {
		return verb{}, fmt.Errorf("%w: no verb; see migrate -h", errUsage)
	}
	v, ok := verbs[words[0]]
	if !ok {
		return verb{}, fmt.Errorf("%w: no verb %s; see migrate -h", errUsage, words[0])
	}
	if n := len(words) - 1; n < v.min || n > v.max {
		return verb{}, fmt.Errorf("%w: %s; see migrate -h", errUsage, v.words)
	}
	var err error
	flags.Visit(func(f *flag.Flag) {
		if !strings.Contains(common+" "+v.flags+" ", " "+f.Name+" ") {
			err = fmt.Errorf("%w: %s takes no --%s; see migrate -h", errUsage, words[0], f.Name)
		}
	})
	return v, err
}
