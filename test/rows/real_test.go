package rows_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// checker compares what repositories return with tables, and counts the rows it saw.
type checker struct {
	t    *testing.T
	want kit.Tables
	seen map[string]map[string]bool
}

func (c *checker) row(table, id string, got any) {
	c.t.Helper()
	if c.seen[table] == nil {
		c.seen[table] = map[string]bool{}
	}
	c.seen[table][id] = true
	if diff := cmp.Diff(c.want[table][id], kit.AsRow(got)); diff != "" {
		c.t.Errorf("%s %s (-SQL +authdb):\n%s", table, id, diff)
	}
}

// TestRealRows reads every row of a real Better Auth database through every way that a repository has to it, in every
// exec mode of pgx.
func TestRealRows(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.6.34", "1.7.25"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			store := kit.RealData(t, version)
			want := kit.ReadTables(t, store)
			for _, mode := range kit.ExecModes {
				t.Run(mode.String(), func(t *testing.T) {
					c := &checker{t, want, map[string]map[string]bool{}}
					c.everything(t.Context(), authdb.New(kit.PoolIn(t, store, "UTC", mode)))
				})
			}
		})
	}
}

func (c *checker) everything(ctx context.Context, store *authdb.Store) {
	t := c.t
	users := 0
	for user, err := range store.Users.All(ctx, authdb.ListUsersParams{Limit: 7}) {
		kit.Must[authdb.User](t)(user, err)
		users++
		c.row("user", user.ID, user)
		c.row("user", user.ID, kit.Must[authdb.User](t)(store.Users.Get(ctx, user.ID)))
		c.row("user", user.ID, kit.Must[authdb.User](t)(store.Users.GetByEmail(ctx, strings.ToUpper(user.Email))))
		c.ofUser(ctx, store, user)
	}
	if n := kit.Must[int64](t)(store.Users.Count(ctx, authdb.ListUsersParams{})); int(n) != users {
		t.Errorf("Count says %d, the list has %d", n, users)
	}
	for org, err := range store.Organizations.All(ctx, authdb.ListOrganizationsParams{Limit: 2}) {
		kit.Must[authdb.Organization](t)(org, err)
		c.row("organization", org.ID, org)
		c.row("organization", org.ID, kit.Must[authdb.Organization](t)(store.Organizations.Get(ctx, org.ID)))
		c.row("organization", org.ID, kit.Must[authdb.Organization](t)(store.Organizations.GetBySlug(ctx, org.Slug)))
		c.ofOrganization(ctx, store, org)
	}
	for id, v := range c.want["verification"] {
		c.row("verification", id, kit.Must[authdb.Verification](t)(store.Verifications.Get(ctx, id)))
		page := kit.Must[authdb.Page[authdb.Verification]](t)(store.Verifications.List(ctx,
			authdb.ListVerificationsParams{Identifier: authdb.Secret(v["identifier"].(string))}))
		for _, item := range page.Items {
			c.row("verification", item.ID, item)
		}
	}
	for table, rows := range c.want {
		if len(c.seen[table]) != len(rows) {
			t.Errorf("%s: saw %d rows of %d", table, len(c.seen[table]), len(rows))
		}
	}
}

func (c *checker) ofUser(ctx context.Context, store *authdb.Store, user authdb.User) {
	t := c.t
	t.Helper()
	for s, err := range store.Sessions.All(ctx, authdb.ListSessionsParams{UserID: user.ID, Limit: 1}) {
		kit.Must[authdb.Session](t)(s, err)
		c.row("session", s.ID, s)
		c.row("session", s.ID, kit.Must[authdb.Session](t)(store.Sessions.Get(ctx, user.ID, s.ID)))
		c.row("session", s.ID, kit.Must[authdb.Session](t)(store.Sessions.GetByToken(ctx, s.Token)))
	}
	for a, err := range store.Accounts.All(ctx, authdb.ListAccountsParams{UserID: user.ID, Limit: 1}) {
		kit.Must[authdb.Account](t)(a, err)
		c.row("account", a.ID, a)
		c.row("account", a.ID, kit.Must[authdb.Account](t)(store.Accounts.Get(ctx, user.ID, a.ID)))
		joined := kit.Must[authdb.AccountWithUser](t)(store.Accounts.GetWithUserByProvider(ctx, a.ProviderID, a.AccountID))
		c.row("account", a.ID, joined.Account)
		c.row("user", user.ID, joined.User)
		if a.ProviderID == authdb.ProviderCredential {
			c.row("account", a.ID, kit.Must[authdb.Account](t)(store.Accounts.GetCredential(ctx, user.ID)))
		}
	}
	for m, err := range store.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: user.ID, Limit: 1}) {
		kit.Must[authdb.MemberWithOrganization](t)(m, err)
		c.row("member", m.ID, m.Member)
		c.row("organization", m.OrganizationID, m.Organization)
	}
	for m, err := range store.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: user.ID, Limit: 2}) {
		kit.Must[authdb.TeamMemberWithTeam](t)(m, err)
		c.row("team_member", m.ID, m.TeamMember)
		c.row("team", m.TeamID, m.Team)
	}
	for i, err := range store.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{
		UserID: user.ID, AllowUnverified: true, Limit: 1,
	}) {
		kit.Must[authdb.ReceivedInvitation](t)(i, err)
		c.row("invitation", i.ID, i.Invitation)
		c.row("organization", i.OrganizationID, i.Organization)
		got := kit.Must[authdb.ReceivedInvitation](t)(store.Invitations.GetByRecipient(ctx,
			authdb.GetInvitationByRecipientParams{InvitationID: i.ID, UserID: user.ID, AllowUnverified: true}))
		c.row("invitation", i.ID, got.Invitation)
		c.row("user", i.InviterID, got.Inviter)
	}
}

func (c *checker) ofOrganization(ctx context.Context, store *authdb.Store, org authdb.Organization) {
	t := c.t
	t.Helper()
	members := 0
	for m, err := range store.Members.All(ctx, authdb.ListMembersParams{OrganizationID: org.ID, Limit: 9}) {
		kit.Must[authdb.MemberWithUser](t)(m, err)
		members++
		for _, got := range []authdb.MemberWithUser{
			m,
			kit.Must[authdb.MemberWithUser](t)(store.Members.GetWithUser(ctx, org.ID, m.ID)),
			{Member: kit.Must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, m.UserID)), User: m.User},
			{Member: kit.Must[authdb.Member](t)(store.Members.GetByEmail(ctx, org.ID, m.User.Email)), User: m.User},
		} {
			c.row("member", m.ID, got.Member)
			c.row("user", m.UserID, got.User)
		}
		c.row("member", m.ID, kit.Must[authdb.Member](t)(store.Members.Get(ctx, org.ID, m.ID)))
	}
	if n := kit.Must[int64](t)(store.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID})); int(n) != members {
		t.Errorf("%s: Count says %d members, the list has %d", org.Slug, n, members)
	}
	for team, err := range store.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: org.ID, Limit: 1}) {
		kit.Must[authdb.Team](t)(team, err)
		c.row("team", team.ID, team)
		c.row("team", team.ID, kit.Must[authdb.Team](t)(store.Teams.Get(ctx, org.ID, team.ID)))
		joined := kit.Must[authdb.TeamWithOrganization](t)(store.Teams.GetWithOrganization(ctx, org.ID, team.ID))
		c.row("team", team.ID, joined.Team)
		c.row("organization", org.ID, joined.Organization)
		p := authdb.ListTeamMembersParams{OrganizationID: org.ID, TeamID: team.ID, Limit: 13}
		for m, err := range store.TeamMembers.All(ctx, p) {
			kit.Must[authdb.TeamMemberWithUser](t)(m, err)
			c.row("team_member", m.ID, m.TeamMember)
			c.row("user", m.UserID, m.User)
			c.row("team_member", m.ID, kit.Must[authdb.TeamMember](t)(store.TeamMembers.GetByUser(ctx, org.ID, team.ID, m.UserID)))
			withUser := kit.Must[authdb.TeamMemberWithUser](t)(store.TeamMembers.GetWithUser(ctx, org.ID, m.ID))
			c.row("team_member", m.ID, withUser.TeamMember)
			c.row("team_member", m.ID, kit.Must[authdb.TeamMember](t)(store.TeamMembers.Get(ctx, org.ID, m.ID)))
		}
	}
	for i, err := range store.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: org.ID, Limit: 2}) {
		kit.Must[authdb.InvitationWithInviter](t)(i, err)
		c.row("invitation", i.ID, i.Invitation)
		c.row("user", i.InviterID, i.Inviter)
		c.row("invitation", i.ID, kit.Must[authdb.Invitation](t)(store.Invitations.Get(ctx, org.ID, i.ID)))
		joined := kit.Must[authdb.InvitationWithInviter](t)(store.Invitations.GetWithInviter(ctx, org.ID, i.ID))
		c.row("user", i.InviterID, joined.Inviter)
	}
}

// TestNamesOfDrizzleKit1: a database that drizzle-kit 1.0 made names its constraints otherwise; the errors are the
// same.
func TestNamesOfDrizzleKit1(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	rows := kit.Must[pgx.Rows](t)(store.Pool().Query(t.Context(), `SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I',
		conrelid::regclass, conname, regexp_replace(regexp_replace(conname, '_unique$', '_key'), '_fk$', '_fkey'))
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname ~ '(_unique|_fk)$'`))
	renames := kit.Must[[]string](t)(pgx.CollectRows(rows, pgx.RowTo[string]))
	if len(renames) < 12 {
		t.Fatalf("%d names differ, want 12", len(renames))
	}
	kit.Exec(t, store, strings.Join(append(renames, "DROP INDEX organization_slug_uidx"), ";"))

	ctx := t.Context()
	user := authdbtest.User(t, store)
	if _, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: user.Email}); !errors.Is(err, authdb.ErrEmailTaken) {
		t.Errorf("e-mail: %v", err)
	}
	org := authdbtest.Organization(t, store)
	if _, err := store.Organizations.Create(ctx, authdb.CreateOrganizationParams{
		Name: "x", Slug: org.Slug, OwnerID: user.ID,
	}); !errors.Is(err, authdb.ErrSlugTaken) {
		t.Errorf("slug: %v", err)
	}
	_, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: "nobody"})
	if e, ok := errors.AsType[*authdb.Error](err); !ok || !errors.Is(err, authdb.ErrReference) || e.Field != "user_id" {
		t.Errorf("reference: %v", err)
	}
}
