// Command withpg runs a command with a PostgreSQL in DATABASE_URL. Unless DATABASE_URL is set already, it starts one
// first and stops it afterwards:
//
//	go run ./internal/pgserver/withpg -- go test ./...
//
// It exits with the command's code (go run turns every failure into 1).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/internal/term"
)

const (
	exitUsage  = 2
	exitSignal = 128
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withpg -- command [argument...]")
		os.Exit(exitUsage)
	}
	code, err := withServer(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func withServer(args []string) (code int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var step atomic.Value // what a slow start is doing
	step.Store("starting PostgreSQL")
	started := term.Wait(func(so time.Duration) { fmt.Fprintf(os.Stderr, "withpg: %s, %s so far\n", step.Load(), so) })
	server, err := pgserver.Start(ctx, pgserver.Options{Progress: func(text string) { step.Store(text) }})
	started()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	fmt.Fprintf(os.Stderr, "withpg: PostgreSQL %s (%s)\n", server.Version(), server.Origin())
	return run(args, server.DSN())
}

func run(args []string, dsn string) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "AUTHDB_POSTGRES=", "DATABASE_URL="+dsn)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go forward(signals, cmd.Process)
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// forward passes signals on, but not the Ctrl-C of a terminal, which reaches the command by itself.
func forward(signals <-chan os.Signal, to *os.Process) {
	tty, err := os.Open("/dev/tty")
	terminal := err == nil
	if terminal {
		tty.Close()
	}
	for s := range signals {
		if s != os.Interrupt || !terminal {
			_ = to.Signal(s) // it may have ended
		}
	}
}
