package authdb_test

import (
	"fmt"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestAllocations: what a call allocates, warm, is at most what it did when this was written. docs/benchmarks.md has
// what others do.
func TestAllocations(t *testing.T) {
	ctx := t.Context()
	s := authdbtest.New(t)
	const crowd = 20
	users := make([]authdb.User, crowd)
	for i := range users {
		users[i] = kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: fmt.Sprintf("u%d@example.com", i)}))
	}
	user := users[0]
	org := kit.Must[authdb.Organization](t)(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{Name: "x", Slug: "x", OwnerID: user.ID}))
	for _, member := range users[1:] {
		kit.Must[authdb.Member](t)(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: member.ID}))
	}
	var session authdb.Session
	for range 5 {
		session = kit.Must[authdb.Session](t)(s.Sessions.Create(ctx, authdb.CreateSessionParams{
			UserID: user.ID, IPAddress: "192.0.2.1", UserAgent: "x", ActiveOrganizationID: &org.ID,
		}))
	}
	for _, test := range []struct {
		name string
		most float64
		call func() error
	}{
		{"Users.Get", 13, func() error { return kit.ErrOf(s.Users.Get(ctx, user.ID)) }},
		{"Users.GetByEmail", 13, func() error { return kit.ErrOf(s.Users.GetByEmail(ctx, user.Email)) }},
		{"Sessions.Authenticate", 20, func() error { return kit.ErrOf(s.Sessions.Authenticate(ctx, session.Token)) }},
		{"Sessions.GetByToken", 14, func() error { return kit.ErrOf(s.Sessions.GetByToken(ctx, session.Token)) }},
		{"Members.List of 20", 80, func() error {
			return kit.ErrOf(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID}))
		}},
		{"Organizations.GetFull of 20", 150, func() error {
			return kit.ErrOf(s.Organizations.GetFull(ctx, org.ID, authdb.OrganizationWith{Members: authdb.All()}))
		}},
		{"Users.GetFull of 5", 136, func() error {
			return kit.ErrOf(s.Users.GetFull(ctx, user.ID, authdb.UserWith{Sessions: authdb.All(), Members: authdb.All()}))
		}},
		{"Users.Load of 5", 114, func() error {
			return kit.ErrOf(s.Users.Load(ctx, users[:1], authdb.UserWith{Sessions: authdb.All(), Members: authdb.All()}))
		}},
	} {
		got := testing.AllocsPerRun(50, func() {
			if err := test.call(); err != nil {
				t.Fatal(err)
			}
		})
		if t.Logf("%s: %.0f", test.name, got); got > test.most {
			t.Errorf("%s allocates %.0f times, %.0f before", test.name, got, test.most)
		}
	}
}
