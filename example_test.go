package authdb_test

import (
	"context"
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
	fmt.Println(ada.Email, "is", member.Role, "of", org.Name)
	// Output: ada@example.com is owner of Acme
}

// A request is refused in SQL when its session has expired or was revoked.
func ExampleSessionRepository_Authenticate() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, people := acme(ctx, store, "Ada")
	ada := people[0]
	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID, ActiveOrganizationID: &org.ID})
	if err != nil {
		log.Fatal(err)
	}

	for _, token := range []authdb.Secret{session.Token, "unknown"} {
		auth, err := store.Sessions.Authenticate(ctx, token)
		switch {
		case errors.Is(err, authdb.ErrNotFound):
			fmt.Println("signed out")
		case err != nil:
			log.Fatal(err)
		case auth.Member == nil:
			fmt.Println(auth.User.Name, "is signed in, with no organization active")
		default:
			fmt.Println(auth.User.Name, "is signed in as", auth.Member.Role)
		}
	}
	// Output:
	// Ada is signed in as owner
	// signed out
}

// Of any number of requests at once, one writes: a session is prolonged once a day.
func ExampleSessionRepository_Refresh() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	_, people := acme(ctx, store, "Ada")
	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: people[0].ID})
	if err != nil {
		log.Fatal(err)
	}

	// Of a store whose clock is ahead by six days: the session is almost over.
	later := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return time.Now().Add(6 * 24 * time.Hour) }))
	for range 2 {
		refreshed, err := later.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: session.Token})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("a new Max-Age for the cookie:", refreshed.Refreshed)
	}
	// Output:
	// a new Max-Age for the cookie: true
	// a new Max-Age for the cookie: false
}

func ExampleInvitationRepository_Accept() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, people := acme(ctx, store, "Ada")
	grace, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Grace", Email: "grace@example.com", EmailVerified: true})
	if err != nil {
		log.Fatal(err)
	}
	inv, err := store.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: people[0].ID, Email: "grace@example.com", Role: authdb.RoleAdmin,
	})
	if err != nil {
		log.Fatal(err)
	}

	// Whoever opens the link must have the address; opened twice, it does nothing the second time.
	for _, user := range []authdb.User{people[0], grace, grace} {
		accepted, err := store.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: inv.ID, UserID: user.ID})
		switch {
		case errors.Is(err, authdb.ErrNotRecipient):
			fmt.Println(user.Name, "was not invited")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(user.Name, "is", accepted.Member.Role, "of", org.Name, accepted.AlreadyAccepted)
		}
	}
	// Output:
	// Ada was not invited
	// Grace is admin of Acme false
	// Grace is admin of Acme true
}

func ExampleMemberRepository_Leave() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, people := acme(ctx, store, "Ada", "Bob")

	for _, user := range people {
		err := store.Members.Leave(ctx, org.ID, user.ID)
		switch {
		case errors.Is(err, authdb.ErrLastOwner):
			fmt.Println(user.Name, "is the only owner and stays")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(user.Name, "has left")
		}
	}
	// Output:
	// Ada is the only owner and stays
	// Bob has left
}

// Whoever owns an organization alone is deleted once somebody else owns it.
func ExampleUserRepository_Delete() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, people := acme(ctx, store, "Ada", "Bob")
	ada, bob := people[0], people[1]

	deleted, err := store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: ada.ID})
	if errors.Is(err, authdb.ErrLastOwner) {
		fmt.Println("owned by Ada alone:", len(deleted.OrganizationIDs))
		_, err = store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: ada.ID, SuccessorID: bob.ID})
	}
	if err != nil {
		log.Fatal(err)
	}
	member, err := store.Members.GetByUser(ctx, org.ID, bob.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Bob is now", member.Role)
	// Output:
	// owned by Ada alone: 1
	// Bob is now member,owner
}

// A one-time code as Better Auth's e-mail OTP stores it, with the number of wrong guesses behind the colon.
func ExampleVerificationRepository_ConsumeCode() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	if _, err := store.Verifications.Create(ctx, authdb.CreateVerificationParams{
		Identifier: "sign-in-otp-ada@example.com", Value: "123456:0", ExpiresAt: time.Now().Add(5 * time.Minute),
	}); err != nil {
		log.Fatal(err)
	}

	for _, code := range []string{"111111", "123456", "123456"} {
		err := store.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{
			Identifier: "sign-in-otp-ada@example.com", Code: authdb.Secret(code),
		})
		switch {
		case errors.Is(err, authdb.ErrWrongCode):
			fmt.Println("wrong, try again")
		case errors.Is(err, authdb.ErrTooManyAttempts), errors.Is(err, authdb.ErrNotFound):
			fmt.Println("ask for a new code")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println("right")
		}
	}
	// Output:
	// wrong, try again
	// right
	// ask for a new code
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

	ada, err = store.Users.Update(ctx, ada.ID, authdb.UpdateUserParams{Name: authdb.Set("Ada Lovelace")})
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
	org, _ := acme(ctx, store, "Ada", "Bob", "Cy")

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
	org, _ := acme(ctx, store, "Ada", "Bob", "Cy")

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
	org, _ := acme(ctx, store, "Ada", "Bob")
	p := authdb.ListMembersParams{OrganizationID: org.ID, Limit: 1}
	first, err := store.Members.List(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	link := "/members?after=" + first.Next.String()

	sent := strings.TrimPrefix(link, "/members?after=")
	if p.After, err = authdb.ParseCursor(sent); err != nil { // ErrInvalidInput for what is no cursor
		log.Fatal(err)
	}
	second, err := store.Members.List(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(second.Items[0].User.Name, second.Next.IsZero())
	// Output: Bob true
}

// A query of one's own, paged by the same cursors.
func ExampleCursor_Key() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, _ := acme(ctx, store, "Ada", "Bob", "Cy")

	const query = `SELECT m.created_at, m.id, u.name FROM member m JOIN "user" u ON u.id = m.user_id
		WHERE m.organization_id = $1 AND length(u.name) > 2 AND (m.created_at, m.id) > ($2, $3)
		ORDER BY m.created_at, m.id LIMIT 1`
	var place authdb.Cursor // from the request, by ParseCursor
	for {
		var name, id string
		var at time.Time
		after, afterID := place.Key()
		err := store.Pool().QueryRow(ctx, query, org.ID, after, afterID).Scan(&at, &id, &name)
		if errors.Is(err, pgx.ErrNoRows) {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name)
		place = authdb.CursorAt(at, id)
	}
	// Output:
	// Ada
	// Bob
}

func ExampleUserRepository_Search() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	acme(ctx, store, "Ada", "Bob", "Adam")

	users, err := store.Users.Search(ctx, authdb.SearchUsersParams{Prefix: "AD", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range users {
		fmt.Println(user.Name)
	}
	// Output:
	// Ada
	// Adam
}

func ExampleOrganizationRepository_Load() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	org, _ := acme(ctx, store, "Ada", "Bob", "Cy")
	if _, err := store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Design"}); err != nil {
		log.Fatal(err)
	}

	full, err := store.Organizations.GetFull(ctx, org.ID, authdb.OrganizationWith{Members: authdb.Newest(2), Teams: authdb.All()})
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
	n, err := store.Users.Count(ctx, authdb.ListUsersParams{})
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
func acme(ctx context.Context, store *authdb.Store, names ...string) (org authdb.Organization, people []authdb.User) {
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
		people = append(people, user)
	}
	return org, people
}

// Profile are the columns that the application's Better Auth has added to the user table.
type Profile struct {
	Plan   string
	Banned *bool // the column is banned
}

func ExampleColumns() {
	ctx := context.Background()
	store := exampleStore(ctx)
	defer store.Close()
	if _, err := store.Pool().Exec(ctx, `ALTER TABLE "user" ADD COLUMN plan text NOT NULL, ADD COLUMN banned boolean`); err != nil {
		log.Fatal(err)
	}

	profiles, err := authdb.NewColumns[Profile](ctx, store, "user") // at the start
	if err != nil {
		log.Fatal(err)
	}
	ada, err := store.Users.Create(profiles.Write(ctx, Profile{Plan: "pro"}), authdb.CreateUserParams{Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID})
	if err != nil {
		log.Fatal(err)
	}

	ctx = profiles.Read(ctx)
	me, err := store.Sessions.Authenticate(ctx, session.Token)
	if err != nil {
		log.Fatal(err)
	}
	profile, _ := profiles.Of(ctx, me.User.ID)
	fmt.Println(me.User.Email, profile.Plan)
	// Output: ada@example.com pro
}

// revoke ends a session and returns a store that knows of it: the standby's, if that has caught up in time.
func revoke(ctx context.Context, primary, standby *authdb.Store, token authdb.Secret) (*authdb.Store, error) {
	if err := primary.Sessions.DeleteByToken(ctx, token); err != nil {
		return nil, err
	}
	at, err := primary.Position(ctx) // after the write: as far as the log is flushed. at.String() may travel in a cookie
	if err != nil {
		return nil, err
	}
	patience, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := standby.WaitFor(patience, at); err != nil { // ErrBehind: it lags, or its replay is paused
		return primary, nil
	}
	return standby, nil
}

func ExampleStore_WaitFor() {
	ctx := context.Background()
	primary := exampleStore(ctx)
	defer primary.Close()
	standby := primary // on a primary, WaitFor returns at once

	store, err := revoke(ctx, primary, standby, "nobody's")
	fmt.Println(store == nil, errors.Is(err, authdb.ErrNotFound))
	// Output: true true
}
