package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
)

// The caller's own SQL is part of the transaction, and of what is run again.
func ExampleStore_Tx() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	if _, err := store.Pool().Exec(ctx, "CREATE TABLE customer (user_id text REFERENCES \"user\", seats int CHECK (seats > 0))"); err != nil {
		log.Fatal(err)
	}

	signUp := func(seats int) error {
		return store.InTx(ctx, func(tx *authdb.Store) error {
			user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
			if err != nil {
				return err
			}
			_, err = tx.Tx().Exec(ctx, "INSERT INTO customer (user_id, seats) VALUES ($1, $2)", user.ID, seats)
			return err
		})
	}
	fmt.Println(signUp(0) != nil) // neither the customer nor the user
	fmt.Println(signUp(1))
	fmt.Println(errors.Is(signUp(1), authdb.ErrEmailTaken))
	// Output:
	// true
	// <nil>
	// true
}

// A transaction that the caller began, with the clock and all else of the store.
func ExampleStore_WithTx() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()

	err := pgx.BeginFunc(ctx, store.Pool(), func(tx pgx.Tx) error {
		_, err := store.WithTx(tx).Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}

// Several reads of one moment.
func ExampleStore_InTxWith() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()

	var users, organizations int64
	err := store.InTxWith(ctx, authdb.TxOptions{IsoLevel: pgx.RepeatableRead, ReadOnly: true}, func(tx *authdb.Store) (err error) {
		if users, err = tx.Users.Count(ctx, authdb.ListUsersParams{}); err != nil {
			return err
		}
		organizations, err = tx.Organizations.Count(ctx, authdb.ListOrganizationsParams{})
		return err
	})
	fmt.Println(users, organizations, err)
	// Output: 0 0 <nil>
}
