package authdb_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// realData returns a store on the rows that a real Better Auth server wrote.
func realData(t *testing.T, version string) *authdb.Store {
	t.Helper()
	store := authdbtest.New(t)
	data, err := os.ReadFile("testdata/better-auth-" + version + "/data.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, store, string(data))
	return store
}

func exec(t *testing.T, store *authdb.Store, sql string, args ...any) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// tables holds each table's rows by id, as PostgreSQL itself writes them in JSON: no decoding of pgx's is involved.
type tables map[string]map[string]map[string]any

func readTables(t *testing.T, store *authdb.Store) tables {
	t.Helper()
	all := tables{}
	for _, table := range []string{
		"user", "session", "account", "verification", "organization", "team", "member",
		"team_member", "invitation",
	} {
		rows, err := store.Pool().Query(t.Context(), `SELECT to_jsonb(t) FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		all[table] = map[string]map[string]any{}
		for _, row := range list {
			all[table][row["id"].(string)] = row
		}
	}
	return all
}

// asRow is a row struct in the form of tables.
func asRow(v any) map[string]any {
	row := map[string]any{}
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		field := s.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				row[column(s.Type().Field(i).Name)] = nil
				continue
			}
			field = field.Elem()
		}
		value := field.Interface()
		switch v := value.(type) {
		case time.Time:
			value = jsonTime(v)
		case int32:
			value = float64(v)
		case authdb.Secret:
			value = string(v)
		}
		row[column(s.Type().Field(i).Name)] = value
	}
	return row
}

func jsonTime(at time.Time) string { return at.Format("2006-01-02T15:04:05.999999") }

// column turns ActiveOrganizationID into active_organization_id.
func column(field string) string {
	field = strings.NewReplacer("IDToken", "IdToken", "IP", "Ip").Replace(field)
	if rest, ok := strings.CutSuffix(field, "ID"); ok {
		field = rest + "Id"
	}
	var b strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// checker compares what repositories return with tables, and counts the rows it saw.
type checker struct {
	t    *testing.T
	want tables
	seen map[string]map[string]bool
}

func (c *checker) row(table, id string, got any) {
	c.t.Helper()
	if c.seen[table] == nil {
		c.seen[table] = map[string]bool{}
	}
	c.seen[table][id] = true
	if diff := cmp.Diff(c.want[table][id], asRow(got)); diff != "" {
		c.t.Errorf("%s %s (-SQL +authdb):\n%s", table, id, diff)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestRealRows reads every row of a real Better Auth database through every way that a repository has to it, in every
// exec mode of pgx.
func TestRealRows(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.6.34", "1.7.25"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			store := realData(t, version)
			want := readTables(t, store)
			for _, mode := range execModes {
				t.Run(mode.String(), func(t *testing.T) {
					c := &checker{t, want, map[string]map[string]bool{}}
					c.everything(t.Context(), authdb.New(poolIn(t, store, "UTC", mode)))
				})
			}
		})
	}
}

func (c *checker) everything(ctx context.Context, store *authdb.Store) {
	t := c.t
	users := 0
	for user, err := range store.Users.All(ctx, authdb.ListUsersParams{Limit: 7}) {
		must[authdb.User](t)(user, err)
		users++
		c.row("user", user.ID, user)
		c.row("user", user.ID, must[authdb.User](t)(store.Users.Get(ctx, user.ID)))
		c.row("user", user.ID, must[authdb.User](t)(store.Users.GetByEmail(ctx, strings.ToUpper(user.Email))))
		c.ofUser(ctx, store, user)
	}
	if n := must[int64](t)(store.Users.Count(ctx, authdb.ListUsersParams{})); int(n) != users {
		t.Errorf("Count says %d, the list has %d", n, users)
	}
	for org, err := range store.Organizations.All(ctx, authdb.ListOrganizationsParams{Limit: 2}) {
		must[authdb.Organization](t)(org, err)
		c.row("organization", org.ID, org)
		c.row("organization", org.ID, must[authdb.Organization](t)(store.Organizations.Get(ctx, org.ID)))
		c.row("organization", org.ID, must[authdb.Organization](t)(store.Organizations.GetBySlug(ctx, org.Slug)))
		c.ofOrganization(ctx, store, org)
	}
	for id, v := range c.want["verification"] {
		c.row("verification", id, must[authdb.Verification](t)(store.Verifications.Get(ctx, id)))
		page := must[authdb.Page[authdb.Verification]](t)(store.Verifications.List(ctx,
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
		must[authdb.Session](t)(s, err)
		c.row("session", s.ID, s)
		c.row("session", s.ID, must[authdb.Session](t)(store.Sessions.Get(ctx, user.ID, s.ID)))
		c.row("session", s.ID, must[authdb.Session](t)(store.Sessions.GetByToken(ctx, s.Token)))
	}
	for a, err := range store.Accounts.All(ctx, authdb.ListAccountsParams{UserID: user.ID, Limit: 1}) {
		must[authdb.Account](t)(a, err)
		c.row("account", a.ID, a)
		c.row("account", a.ID, must[authdb.Account](t)(store.Accounts.Get(ctx, user.ID, a.ID)))
		joined := must[authdb.AccountWithUser](t)(store.Accounts.GetWithUserByProvider(ctx, a.ProviderID, a.AccountID))
		c.row("account", a.ID, joined.Account)
		c.row("user", user.ID, joined.User)
		if a.ProviderID == authdb.ProviderCredential {
			c.row("account", a.ID, must[authdb.Account](t)(store.Accounts.GetCredential(ctx, user.ID)))
		}
	}
	for m, err := range store.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: user.ID, Limit: 1}) {
		must[authdb.MemberWithOrganization](t)(m, err)
		c.row("member", m.ID, m.Member)
		c.row("organization", m.OrganizationID, m.Organization)
	}
	for m, err := range store.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: user.ID, Limit: 2}) {
		must[authdb.TeamMemberWithTeam](t)(m, err)
		c.row("team_member", m.ID, m.TeamMember)
		c.row("team", m.TeamID, m.Team)
	}
	for i, err := range store.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{
		UserID: user.ID, AllowUnverified: true, Limit: 1,
	}) {
		must[authdb.ReceivedInvitation](t)(i, err)
		c.row("invitation", i.ID, i.Invitation)
		c.row("organization", i.OrganizationID, i.Organization)
		got := must[authdb.ReceivedInvitation](t)(store.Invitations.GetByRecipient(ctx,
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
		must[authdb.MemberWithUser](t)(m, err)
		members++
		for _, got := range []authdb.MemberWithUser{
			m,
			must[authdb.MemberWithUser](t)(store.Members.GetWithUser(ctx, org.ID, m.ID)),
			{Member: must[authdb.Member](t)(store.Members.GetByUser(ctx, org.ID, m.UserID)), User: m.User},
			{Member: must[authdb.Member](t)(store.Members.GetByEmail(ctx, org.ID, m.User.Email)), User: m.User},
		} {
			c.row("member", m.ID, got.Member)
			c.row("user", m.UserID, got.User)
		}
		c.row("member", m.ID, must[authdb.Member](t)(store.Members.Get(ctx, org.ID, m.ID)))
	}
	if n := must[int64](t)(store.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID})); int(n) != members {
		t.Errorf("%s: Count says %d members, the list has %d", org.Slug, n, members)
	}
	for team, err := range store.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: org.ID, Limit: 1}) {
		must[authdb.Team](t)(team, err)
		c.row("team", team.ID, team)
		c.row("team", team.ID, must[authdb.Team](t)(store.Teams.Get(ctx, org.ID, team.ID)))
		joined := must[authdb.TeamWithOrganization](t)(store.Teams.GetWithOrganization(ctx, org.ID, team.ID))
		c.row("team", team.ID, joined.Team)
		c.row("organization", org.ID, joined.Organization)
		p := authdb.ListTeamMembersParams{OrganizationID: org.ID, TeamID: team.ID, Limit: 13}
		for m, err := range store.TeamMembers.All(ctx, p) {
			must[authdb.TeamMemberWithUser](t)(m, err)
			c.row("team_member", m.ID, m.TeamMember)
			c.row("user", m.UserID, m.User)
			c.row("team_member", m.ID, must[authdb.TeamMember](t)(store.TeamMembers.GetByUser(ctx, org.ID, team.ID, m.UserID)))
			withUser := must[authdb.TeamMemberWithUser](t)(store.TeamMembers.GetWithUser(ctx, org.ID, m.ID))
			c.row("team_member", m.ID, withUser.TeamMember)
			c.row("team_member", m.ID, must[authdb.TeamMember](t)(store.TeamMembers.Get(ctx, org.ID, m.ID)))
		}
	}
	for i, err := range store.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: org.ID, Limit: 2}) {
		must[authdb.InvitationWithInviter](t)(i, err)
		c.row("invitation", i.ID, i.Invitation)
		c.row("user", i.InviterID, i.Inviter)
		c.row("invitation", i.ID, must[authdb.Invitation](t)(store.Invitations.Get(ctx, org.ID, i.ID)))
		joined := must[authdb.InvitationWithInviter](t)(store.Invitations.GetWithInviter(ctx, org.ID, i.ID))
		c.row("user", i.InviterID, joined.Inviter)
	}
}

// TestNamesOfDrizzleKit1: a database that drizzle-kit 1.0 made names its constraints otherwise; the errors are the
// same.
func TestNamesOfDrizzleKit1(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	rows := must[pgx.Rows](t)(store.Pool().Query(t.Context(), `SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I',
		conrelid::regclass, conname, regexp_replace(regexp_replace(conname, '_unique$', '_key'), '_fk$', '_fkey'))
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname ~ '(_unique|_fk)$'`))
	renames := must[[]string](t)(pgx.CollectRows(rows, pgx.RowTo[string]))
	if len(renames) < 12 {
		t.Fatalf("%d names differ, want 12", len(renames))
	}
	exec(t, store, strings.Join(append(renames, "DROP INDEX organization_slug_uidx"), ";"))

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
