package sqlc_test

import (
	_ "embed"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/examples/sqlc"
	"github.com/zerostarter/authdb/examples/sqlc/billing"
)

//go:embed schema.sql
var schema string

func TestSignUp(t *testing.T) {
	ctx := t.Context()
	store := authdbtest.New(t)
	if _, err := store.Pool().Exec(ctx, schema); err != nil {
		t.Fatal(err)
	}
	queries := billing.New(store.Pool())
	ada := authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"}

	// The project's own rule refuses, and authdb's rows go with it.
	_, err := sqlc.SignUp(ctx, store, ada, "acme", "team", 0)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "23514" {
		t.Errorf("no seats: %v", err)
	}
	if n, err := store.Users.Count(ctx, authdb.ListUsersParams{}); n != 0 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}

	user, err := sqlc.SignUp(ctx, store, ada, "acme", "team", 5)
	if err != nil {
		t.Fatal(err)
	}
	// authdb's rule refuses, and the project's row goes with it.
	if _, err := sqlc.SignUp(ctx, store, ada, "other", "team", 5); !errors.Is(err, authdb.ErrEmailTaken) {
		t.Errorf("again: %v", err)
	}
	customers, err := queries.ListCustomersOfUser(ctx, user.ID)
	want := []billing.ListCustomersOfUserRow{{Slug: "acme", Role: "owner", Plan: "team", Seats: 5}}
	if err != nil || !slices.Equal(customers, want) {
		t.Errorf("got %v, %v", customers, err)
	}
}
