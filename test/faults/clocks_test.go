package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// clock is a server of the application's whose clock is ahead, or behind.
type clock struct {
	*authdb.Store
	ahead time.Duration
}

// TestClocks lets servers whose clocks are minutes apart work on the same rows, in any order. The control writes what its
// own clock says.
func TestClocks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := authdbtest.DSN(t)
	var clocks []clock
	for _, ahead := range []time.Duration{-skew, 0, skew} {
		s, err := authdb.Open(ctx, dsn, authdb.WithInsecureTLS(), authdb.WithClock(func() time.Time { return time.Now().Add(ahead) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		clocks = append(clocks, clock{s, ahead})
	}
	anyClock := func() clock { return clocks[rand.IntN(len(clocks))] }
	pool := clocks[0].Pool()
	user, err := clocks[1].Users.Create(ctx, authdb.CreateUserParams{Email: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var steps, wrong, naiveShorter, naiveOlder int
	bad := func(format string, args ...any) {
		if wrong++; wrong < 10 {
			t.Errorf(format, args...)
		}
	}
	for range sizeOf(t).rounds {
		steps += 6
		identifier := authdb.Secret(made())
		// A session is never made shorter, and none opens by more than the clocks are wrong after its end.
		session, err := anyClock().Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID})
		if err != nil {
			t.Fatal(err)
		}
		expires, own := session.ExpiresAt, time.Time{}
		for range 3 {
			c := anyClock()
			got, err := c.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: session.Token, UpdateAge: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if got.ExpiresAt.Before(expires) {
				bad("a session's end went back from %v to %v", expires, got.ExpiresAt)
			}
			expires = got.ExpiresAt
			if ends := naiveRefresh(t, pool, identifier, c); ends.Before(own) {
				naiveShorter++
			} else {
				own = ends
			}
		}
		left := rand.N(4*skew) - 2*skew
		dying, err := anyClock().Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID, ExpiresAt: time.Now().Add(left)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = anyClock().Sessions.Authenticate(ctx, dying.Token)
		if slack := time.Minute; err == nil && left < -skew-slack || err != nil && left > skew+slack {
			bad("a session with %v left, where clocks are wrong by %v: %v", left, skew, err)
		}
		if _, err := anyClock().Sessions.DeleteExpired(ctx, 1_000); err != nil {
			t.Fatal(err)
		}
		if _, err := clocks[1].Sessions.Get(ctx, user.ID, session.ID); err != nil {
			bad("a session with a week left is purged: %v", err)
		}

		// The code made last counts, once, and no other.
		for i := range 2 {
			if _, err := anyClock().Verifications.Create(ctx, authdb.CreateVerificationParams{
				Identifier: identifier, Value: authdb.Secret(fmt.Sprintf("code%d:0", i)), ExpiresAt: time.Now().Add(4 * skew),
			}); err != nil {
				t.Fatal(err)
			}
		}
		if newest := naiveCodes(t, pool, identifier, anyClock(), anyClock()); newest != "last" {
			naiveOlder++
		}
		guess := func(code authdb.Secret) error {
			return anyClock().Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: identifier, Code: code})
		}
		if err := guess("code0"); !errors.Is(err, authdb.ErrWrongCode) {
			bad("a code that was replaced: %v", err)
		}
		if err := guess("code1"); err != nil {
			bad("the code made last: %v", err)
		}
		if err := guess("code1"); !errors.Is(err, authdb.ErrNotFound) {
			bad("a code for the second time: %v", err)
		}

		// What has a key is done once, whoever is asked.
		key := made()
		for range 2 {
			if _, err := anyClock().Users.Create(authdb.Once(ctx, key), authdb.CreateUserParams{Email: key + "@example.com"}); err != nil {
				bad("a second call under the same key: %v", err)
			}
		}
		if _, err := clocks[2].DeleteExpiredMarks(ctx, 1_000); err != nil {
			t.Fatal(err)
		}
		if _, err := anyClock().Users.Create(authdb.Once(ctx, key), authdb.CreateUserParams{Email: key + "@example.com"}); err != nil {
			bad("after a purge of marks: %v", err)
		}
	}
	record(t, fmt.Sprintf("steps of 3 servers, with clocks %v apart", 2*skew), steps)
	record(t, "sessions cut short or opened dead, codes not in order, done twice", wrong)
	record(t, "control, whose own clock says when a session ends: cut short", naiveShorter)
	record(t, "control, which takes the code with the newest time: an older one", naiveOlder)
	if naiveShorter == 0 || naiveOlder == 0 {
		t.Error("the control does no harm")
	}
}

// naiveRefresh lets a row end a week from now, by a server's own clock, and returns when that is.
func naiveRefresh(t *testing.T, pool *pgxpool.Pool, id authdb.Secret, by clock) (ends time.Time) {
	t.Helper()
	if err := pool.QueryRow(context.Background(), `INSERT INTO verification (id, identifier, value, expires_at) VALUES ($1, 'naive', '', $2)
		ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at RETURNING expires_at`,
		string(id), time.Now().UTC().Add(by.ahead+authdb.SessionLifetime)).Scan(&ends); err != nil {
		t.Fatal(err)
	}
	return ends
}

// naiveCodes makes two, each with the time that a server's own clock says, and returns the value of the newest.
func naiveCodes(t *testing.T, pool *pgxpool.Pool, identifier authdb.Secret, first, last clock) (newest string) {
	t.Helper()
	ctx, naive := context.Background(), "naive "+string(identifier)
	for i, by := range []clock{first, last} {
		if _, err := pool.Exec(ctx, `INSERT INTO verification (id, identifier, value, expires_at, created_at)
			VALUES ($1, $2, $3, now(), $4)`, made(), naive, []string{"first", "last"}[i], time.Now().UTC().Add(by.ahead)); err != nil {
			t.Fatal(err)
		}
	}
	if err := pool.QueryRow(ctx, `SELECT value FROM verification WHERE identifier = $1 ORDER BY created_at DESC LIMIT 1`, naive).
		Scan(&newest); err != nil {
		t.Fatal(err)
	}
	return newest
}
