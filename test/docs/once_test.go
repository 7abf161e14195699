package docs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// handle is what a queue calls at least once for each message: the organization is made once.
func handle(ctx context.Context, store *authdb.Store, messageID string, p authdb.CreateOrganizationParams) error {
	err := store.InTx(authdb.Once(ctx, messageID), func(tx *authdb.Store) error {
		_, err := tx.Organizations.Create(ctx, p)
		return err
	})
	if errors.Is(err, authdb.ErrAlreadyDone) {
		return nil
	}
	return err
}

func TestOnceGuide(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	owner := authdbtest.User(t, store)
	for range 3 {
		err := handle(t.Context(), store, "message 1", authdb.CreateOrganizationParams{Name: "Acme", Slug: "acme", OwnerID: owner.ID})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := store.Organizations.Count(t.Context(), authdb.ListOrganizationsParams{}); n != 1 || err != nil {
		t.Errorf("%d organizations, %v", n, err)
	}
}
