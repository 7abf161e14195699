package authdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// exampleStore opens a store on a fresh database. Its clock moves at each look, so that rows have a known order.
func exampleStore(ctx context.Context) *authdb.Store {
	db, err := testdb.Migrated(ctx)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	store, err := authdb.Open(ctx, db.DSN, authdb.WithClock(func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}))
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func Example() {
	ctx := context.Background()
	store := exampleStore(ctx) // authdb.Open(ctx, os.Getenv("DATABASE_URL"))
	defer store.Close()

	ada, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "Ada@Example.com"})
	if err != nil {
		log.Fatal(err)
	}
	org, err := store.Organizations.Create(ctx, authdb.CreateOrganizationParams{
		Name: "Acme", Slug: "acme", OwnerID: ada.ID,
	})
	if err != nil {
		log.Fatal(err)
	}
	member, err := store.Members.GetByUser(ctx, org.ID, ada.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(member.User.Email, "is", member.Role, "of", org.Name)
	// Output: ada@example.com is owner of Acme
}

func ExampleSessionRepository_GetByToken() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	ada, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID})
	if err != nil {
		log.Fatal(err)
	}

	for _, token := range []string{session.Token, "unknown"} {
		found, err := store.Sessions.GetByToken(ctx, token)
		switch {
		case errors.Is(err, authdb.ErrNotFound):
			fmt.Println("signed out")
		case err != nil:
			log.Fatal(err)
		case found.ExpiresAt.Before(time.Now()):
			fmt.Println("expired")
		default:
			fmt.Println(found.User.Name, "is signed in")
		}
	}
	// Output:
	// Ada is signed in
	// signed out
}

func ExampleUserRepository_Update() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	ada, err := store.Users.Create(ctx, authdb.CreateUserParams{
		Name: "Ada", Email: "ada@example.com", Image: new("https://example.com/ada.png"),
	})
	if err != nil {
		log.Fatal(err)
	}

	ada, err = store.Users.Update(ctx, ada.ID, authdb.UpdateUserParams{Name: new("Ada Lovelace")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ada.Name, *ada.Image)

	ada, err = store.Users.Update(ctx, ada.ID, authdb.UpdateUserParams{Image: authdb.SetNull[string]()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ada.Name, ada.Image)
	// Output:
	// Ada Lovelace https://example.com/ada.png
	// Ada Lovelace <nil>
}

func ExampleMemberRepository_List() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org := acme(ctx, store, "Ada", "Bob", "Cy")

	p := authdb.ListMembersParams{OrganizationID: org.ID, Limit: 2}
	for {
		page, err := store.Members.List(ctx, p)
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range page.Items {
			fmt.Println(m.User.Name, m.Role)
		}
		if page.Next.IsZero() {
			break
		}
		fmt.Println("next page")
		p.After = page.Next
	}
	// Output:
	// Ada owner
	// Bob member
	// next page
	// Cy member
}

func ExampleMemberRepository_All() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org := acme(ctx, store, "Ada", "Bob", "Cy")

	for m, err := range store.Members.All(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Limit: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.User.Name)
	}
	// Output:
	// Ada
	// Bob
	// Cy
}

// A cursor goes through a query parameter or a JSON field of a service's own API.
func ExampleCursor() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org := acme(ctx, store, "Ada", "Bob")
	p := authdb.ListMembersParams{OrganizationID: org.ID, Limit: 1}
	first, err := store.Members.List(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	sent, err := json.Marshal(first.Next)
	if err != nil {
		log.Fatal(err)
	}

	if err := json.Unmarshal(sent, &p.After); err != nil {
		log.Fatal(err)
	}
	second, err := store.Members.List(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(second.Items[0].User.Name, second.Next.IsZero())
	// Output: Bob true
}

func ExampleOrganizationRepository_Load() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org := acme(ctx, store, "Ada", "Bob", "Cy")
	if _, err := store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Design"}); err != nil {
		log.Fatal(err)
	}

	full, err := store.Organizations.Load(ctx, org, authdb.OrganizationWith{Members: authdb.Newest(2), Teams: authdb.All()})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range full.Members {
		fmt.Println(m.User.Name, m.Role, "in", full.Name)
	}
	fmt.Println(len(full.Teams), "team, invitations not asked for:", full.Invitations == nil)
	// Output:
	// Cy member in Acme
	// Bob member in Acme
	// 1 team, invitations not asked for: true
}

// A page of sessions and whose they are: one query, not one for each.
func ExampleSessionRepository_LoadMany() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	ada, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: ada.ID}, {UserID: ada.ID}}); err != nil {
		log.Fatal(err)
	}

	page, err := store.Sessions.List(ctx, authdb.ListSessionsParams{UserID: ada.ID, Live: true})
	if err != nil {
		log.Fatal(err)
	}
	loaded, err := store.Sessions.LoadMany(ctx, page.Items, authdb.SessionWith{User: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range loaded {
		fmt.Println(s.User.Name)
	}
	// Output:
	// Ada
	// Ada
}

func ExampleStore_InTx() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()

	err := store.InTx(ctx, func(tx *authdb.Store) error {
		if _, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"}); err != nil {
			return err
		}
		_, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ADA@example.com"})
		return err
	})
	fmt.Println(errors.Is(err, authdb.ErrEmailTaken))
	n, err := store.Users.Count(ctx)
	fmt.Println(n, err)
	// Output:
	// true
	// 0 <nil>
}

// The caller's own tables take part in the transaction.
func ExampleNew() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	pool := store.Pool()
	if _, err := pool.Exec(ctx, "CREATE TABLE billing_customer (user_id text REFERENCES \"user\")"); err != nil {
		log.Fatal(err)
	}

	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		user, err := authdb.New(tx).Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO billing_customer (user_id) VALUES ($1)", user.ID)
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}

// acme makes an organization of people, the first of whom owns it.
func acme(ctx context.Context, store *authdb.Store, names ...string) authdb.Organization {
	var org authdb.Organization
	for i, name := range names {
		user, err := store.Users.Create(ctx, authdb.CreateUserParams{
			Name: name, Email: strings.ToLower(name) + "@example.com",
		})
		if err != nil {
			log.Fatal(err)
		}
		if i == 0 {
			org, err = store.Organizations.Create(ctx, authdb.CreateOrganizationParams{
				Name: "Acme", Slug: "acme", OwnerID: user.ID,
			})
		} else {
			_, err = store.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: user.ID})
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	return org
}
