package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/term"
)

func heading(text string) { fmt.Printf("\n%s\n", term.Bold(os.Stdout, text)) }

func line(format string, args ...any) { fmt.Print(term.Wrap(fmt.Sprintf("    "+format+"\n", args...))) }

func progress(text string) { term.Line(os.Stdout, "  "+text) }

// since is how long something took; all of it is in one unit.
func since(start time.Time) string {
	return fmt.Sprintf("%.2f ms", float64(time.Since(start).Microseconds())/1000)
}

// call runs one call of the API and prints its name and how long it took.
func call[T any](name string, f func() (T, error)) (T, error) {
	start := time.Now()
	v, err := f()
	took := since(start)
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("  %-62s %12s\n", name, took)
	return v, nil
}

// fails runs a call that must fail with want, and prints the error.
func fails[T any](name string, want error, f func() (T, error)) error {
	start := time.Now()
	_, err := f()
	took := since(start)
	if !errors.Is(err, want) {
		return fmt.Errorf("%s: got %w instead of: %w", name, err, want)
	}
	fmt.Printf("  %-62s %12s\n", name, took)
	line("%v", err)
	return nil
}

// none makes a call without a result fit call and fails.
func none(f func() error) func() (struct{}, error) {
	return func() (struct{}, error) { return struct{}{}, f() }
}

func text(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return *s
}

func names(members []authdb.MemberWithUser) string {
	shown := members
	if len(shown) > 3 {
		shown = shown[:3]
	}
	var list []string
	for _, m := range shown {
		list = append(list, m.User.Name)
	}
	if len(members) > len(shown) {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}
