package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/permission"
)

// exampleStore opens a store on a fresh database with the columns of the plugin, which knows of them.
func exampleStore(ctx context.Context) *authdb.Store {
	db, err := testdb.NewTemplate(plugins.Admin).Database(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store, err := authdb.Open(ctx, db.DSN, authdb.WithPlugins(authdb.Plugins{Admin: true, RefuseBanned: true}))
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func Example() {
	ctx := context.Background()
	store := exampleStore(ctx) // with authdb.WithPlugins(authdb.Plugins{Admin: true, RefuseBanned: true})
	defer store.Close()
	users, err := admin.New(ctx, store, admin.Options{}) // once, at the start
	if err != nil {
		log.Fatal(err)
	}
	ada, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	eve, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Eve", Email: "eve@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if err := users.SetRole(ctx, admin.SetRoleParams{UserID: ada.ID, Roles: []string{"admin"}}); err != nil {
		log.Fatal(err)
	}

	_, err = users.Ban(ctx, admin.BanParams{UserID: ada.ID, By: eve.ID})
	fmt.Println(errors.Is(err, authdb.ErrNotPermitted))
	if _, err := users.Ban(ctx, admin.BanParams{UserID: eve.ID, By: ada.ID, Reason: "spam"}); err != nil {
		log.Fatal(err)
	}
	_, err = store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: eve.ID})
	fmt.Println(errors.Is(err, authdb.ErrBanned))

	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID})
	if err != nil {
		log.Fatal(err)
	}
	who, err := store.Sessions.Authenticate(ctx, session.Token)
	if err != nil {
		log.Fatal(err)
	}
	rules := permission.Rules{Platform: true}
	fmt.Println(rules.Can(who.Platform.Role, permission.Set{"user": {"ban"}}))
	// Output:
	// true
	// true
	// true
}
