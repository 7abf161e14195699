package admin_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/authdbtest"
)

// TestBanAgainstSignIn: whichever of a ban and many sign-ins comes first, nobody who is banned is signed in after them. A
// sign-in that looks first and then acts is.
func TestBanAgainstSignIn(t *testing.T) {
	t.Parallel()
	store, users := open(t, admin.Options{})
	ctx := t.Context()
	left := func(signIn func(ctx context.Context, userID string) error) (left int) {
		t.Helper()
		for range 40 {
			user := authdbtest.User(t, store).ID
			var wg sync.WaitGroup
			errs := make([]error, 9)
			for i := range 8 {
				wg.Go(func() { errs[i] = signIn(ctx, user) })
			}
			wg.Go(func() { _, errs[8] = users.Ban(ctx, admin.BanParams{UserID: user}) })
			wg.Wait()
			for _, err := range errs {
				if err != nil && !errors.Is(err, authdb.ErrBanned) {
					t.Fatal(err)
				}
			}
			n, err := store.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: user})
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				left++
			}
		}
		return left
	}
	if n := left(func(ctx context.Context, userID string) error {
		_, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: userID})
		return err
	}); n > 0 {
		t.Errorf("signed in and banned: %d of 40", n)
	}
	naive := left(func(ctx context.Context, userID string) error {
		user, err := users.Get(ctx, userID)
		if err != nil || user.Banned {
			return err
		}
		// So that the ban is between the two, however fast the machine is.
		for banned := false; !banned; {
			if err := store.Pool().QueryRow(ctx, `SELECT banned FROM "user" WHERE id = $1`, userID).Scan(&banned); err != nil {
				return err
			}
		}
		_, err = store.Pool().Exec(ctx, `INSERT INTO session (id, token, user_id, expires_at, updated_at)
			VALUES ($1, $1, $2, '2027-01-01', '2026-06-01')`, rand.Text(), userID)
		return err
	})
	if naive == 0 {
		t.Error("the control is never signed in and banned")
	}
	t.Logf("signed in and banned: 0 of 40, the control %d of 40", naive)
}
