package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zerostarter/authdb"
)

// signUp makes a user with a session, all or nothing. Nobody needs to know whether that took more than one try.
func signUp(ctx context.Context, store *authdb.Store, email string) error {
	for range 3 {
		err := store.InTx(ctx, func(tx *authdb.Store) error {
			user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: email})
			if err != nil {
				return err
			}
			_, err = tx.Sessions.Create(ctx, authdb.CreateSessionParams{
				UserID: user.ID, ExpiresAt: time.Now().Add(time.Hour),
			})
			return err
		})
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok {
			return err // nil, or not from authdb
		}
		switch e.Retry {
		case authdb.RetryNever:
			return err
		case authdb.RetryResolve: // the answer to the commit was lost
			outcome, resolveErr := store.Resolve(ctx, err)
			if outcome == authdb.OutcomeApplied {
				return nil
			}
			if resolveErr != nil {
				return errors.Join(err, resolveErr) // still not known
			}
		case authdb.RetryTransaction: // nothing was applied, and another try may be
		}
	}
	return errors.New("gave up")
}

func ExampleStore_Resolve() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store := exampleStore(ctx)
	defer store.Close()

	if err := signUp(ctx, store, "ada@example.com"); err != nil {
		log.Fatal(err)
	}
	err := signUp(ctx, store, "ada@example.com")
	fmt.Println(errors.Is(err, authdb.ErrEmailTaken))
	// Output: true
}
