package repo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/repo"
)

func TestRetry(t *testing.T) {
	t.Parallel()
	victim := &pgconn.PgError{Code: "40001", SeverityUnlocalized: "ERROR"}
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		answers []error // of the first calls; nil after those
		calls   int
		want    error
	}{
		"success":       {nil, 1, nil},
		"serialization": {[]error{victim, fmt.Errorf("wrapped: %w", victim)}, 3, nil},
		"deadlock":      {[]error{&pgconn.PgError{Code: "40P01"}}, 2, nil},
		"other":         {[]error{boom}, 1, boom},
		"other code":    {[]error{&pgconn.PgError{Code: "23505"}}, 1, &pgconn.PgError{}},
		"40001 that ended the connection: its outcome may be unknown": {
			[]error{&pgconn.PgError{Code: "40001", SeverityUnlocalized: "FATAL"}}, 1, &pgconn.PgError{},
		},
		"again and again": {
			[]error{victim, victim, victim, victim, victim, victim, victim, victim, victim, victim, victim}, 10, victim,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			err := repo.Retry(t.Context(), func() error {
				calls++
				if calls <= len(tt.answers) {
					return tt.answers[calls-1]
				}
				return nil
			})
			_, isPg := errors.AsType[*pgconn.PgError](tt.want)
			_, gotPg := errors.AsType[*pgconn.PgError](err)
			if calls != tt.calls || (err == nil) != (tt.want == nil) || isPg != gotPg {
				t.Errorf("%d calls and %v, want %d and %v", calls, err, tt.calls, tt.want)
			}
		})
	}
}

func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	victim := &pgconn.PgError{Code: "40P01"}
	calls := 0
	err := repo.Retry(ctx, func() error {
		if calls++; calls == 2 {
			cancel()
		}
		return victim
	})
	if calls != 2 || !errors.Is(err, context.Canceled) || !errors.Is(err, victim) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	calls := 0
	if err := repo.Poll(t.Context(), func() (bool, error) { calls++; return calls == 3, nil }); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	boom := errors.New("boom")
	if err := repo.Poll(t.Context(), func() (bool, error) { return false, boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := repo.Poll(ctx, func() (bool, error) { cancel(); return false, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
