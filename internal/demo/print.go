package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
)

func heading(text string) { fmt.Printf("\n%s\n", text) }

func line(format string, args ...any) { fmt.Printf("    "+format+"\n", args...) }

// progress overwrites one line on a terminal, and prints lines elsewhere.
func progress(text string) {
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Printf("\r\033[K  %s\r", text)
		return
	}
	fmt.Printf("  %s\n", text)
}

func since(start time.Time) string { return time.Since(start).Round(10 * time.Microsecond).String() }

// call runs one call of the API and prints its name and how long it took.
func call[T any](name string, f func() (T, error)) (T, error) {
	start := time.Now()
	v, err := f()
	took := since(start)
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("  %-60s %10s\n", name, took)
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
	fmt.Printf("  %-60s %10s\n", name, took)
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
