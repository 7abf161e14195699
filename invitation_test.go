package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testInvitationCreate},
		{"CreateRefused", testInvitationRefused},
		{"CreateOwnerRule", testInvitationOwnerRule},
		{"CreateAgain", testInvitationExtend},
		{"CreateCloses", testInvitationCloses},
		{"CreateLimit", testInvitationLimit},
		{"Get", testInvitationGet},
		{"GetPending", testInvitationGetPending},
		{"NotFound", testInvitationNotFound},
		{"Pending", testInvitationPending},
		{"TeamFilter", testInvitationTeamFilter},
		{"Accept", testInvitationAccept},
		{"AcceptTeams", testInvitationAcceptTeams},
		{"AcceptAsMember", testInvitationAcceptAsMember},
		{"AcceptRefused", testInvitationAcceptRefused},
		{"AcceptLimits", testInvitationAcceptLimits},
		{"Reject", testInvitationReject},
		{"Cancel", testInvitationCancel},
		{"CancelExpired", testInvitationCancelExpired},
		{"Delete", testInvitationDelete},
		{"List", testInvitationList},
		{"list filters", testInvitationFilters},
		{"ListByRecipient", testInvitationListByRecipient},
	})
}

func TestInvitationTeamIDs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		column *string
		want   []string
	}{{nil, nil}, {new(""), nil}, {new("t1"), []string{"t1"}}, {new("t1,t2"), []string{"t1", "t2"}}} {
		if diff := cmp.Diff(test.want, authdb.Invitation{TeamID: test.column}.TeamIDs()); diff != "" {
			t.Error(diff)
		}
	}
}

// TestTeamsOneReading: every method reads the teams of an invitation alike, however another server wrote them.
func TestTeamsOneReading(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	for _, list := range []string{"%s,%s", "%s, %s", " %s ,  %s ", ",%s,,%s,", "%s,%s,%[1]s", "%s %s", "%s\t,%s"} {
		g := kit.NewGuest(t, s)
		teams := []authdb.Team{authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID)), authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID)), authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID))}
		kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, fmt.Sprintf(list, teams[0].ID, teams[1].ID), g.Inv.ID)
		named := kit.Must[authdb.Invitation](t)(s.Invitations.Get(ctx, g.Org.ID, g.Inv.ID)).TeamIDs()
		for i, newest := range []bool{false, true, false} {
			p := authdb.ListInvitationsParams{OrganizationID: g.Org.ID, TeamID: teams[i].ID, Newest: newest}
			is, listed := slices.Contains(named, p.TeamID), kit.Must[authdb.Page[authdb.InvitationWithInviter]](t)(s.Invitations.List(ctx, p)).Items
			n := kit.Must[int64](t)(s.Invitations.Count(ctx, p))
			if is != (len(listed) == 1) || is != (n == 1) {
				t.Errorf("%q, %d: named %v, listed %d, counted %d", list, i, is, len(listed), n)
			}
		}
		if err := s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: g.Org.ID, TeamID: teams[0].ID}); err != nil {
			t.Fatal(err)
		}
		left := kit.Must[authdb.Invitation](t)(s.Invitations.Get(ctx, g.Org.ID, g.Inv.ID)).TeamIDs()
		if want := slices.DeleteFunc(slices.Clone(named), func(id string) bool { return id == teams[0].ID }); !slices.Equal(left, want) {
			t.Errorf("%q: left are %q, want %q", list, left, want)
		}
		kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID}))
		if _, err := s.TeamMembers.GetByUser(ctx, g.Org.ID, teams[1].ID, g.User.ID); (err == nil) != slices.Contains(named, teams[1].ID) {
			t.Errorf("%q: accepted into the second: %v", list, err)
		}
	}
}

// plant makes an invitation as another server may have left it: in any state, and beside others to the same address.
func plant(t *testing.T, s *kit.Fixture, orgID, inviterID, email, status string, end time.Time) authdb.Invitation {
	t.Helper()
	inv := kit.Invite(t, s, orgID, inviterID)
	inv.Email, inv.Status, inv.ExpiresAt = email, status, end
	kit.Exec(t, s.Store, `UPDATE invitation SET email = $1, status = $2, expires_at = $3 WHERE id = $4`, email, status, end, inv.ID)
	return inv
}

// inStates makes an invitation that is pending, and one in each state that is not.
func inStates(t *testing.T, s *kit.Fixture, orgID, inviterID, email string) (pending authdb.Invitation) {
	t.Helper()
	for _, status := range []string{"pending", "accepted", "rejected", "canceled"} {
		inv := plant(t, s, orgID, inviterID, email, status, s.Now.Add(time.Millisecond))
		if status == "pending" {
			pending = inv
		}
	}
	for _, end := range []time.Time{s.Now, s.Now.Add(-time.Millisecond)} {
		plant(t, s, orgID, inviterID, email, "pending", end)
	}
	return pending
}

func testInvitationCreate(t *testing.T, s *kit.Fixture) {
	org, inviter := kit.Owned(t, s)
	one, two := authdbtest.Team(t, s.Store, kit.TeamOf(org.ID)).ID, authdbtest.Team(t, s.Store, kit.TeamOf(org.ID)).ID
	want := kit.ReadTables(t, s.Store)
	for _, test := range []struct {
		given authdb.CreateInvitationParams
		want  authdb.Invitation
	}{
		{authdb.CreateInvitationParams{Email: "Grace@Example.com", TeamIDs: []string{}}, authdb.Invitation{
			Email: "grace@example.com", Role: new("member"), ExpiresAt: s.Now.Add(48 * time.Hour),
		}},
		{authdb.CreateInvitationParams{Email: "ÅSA@example.com", Role: "admin,member", TeamIDs: []string{one}}, authdb.Invitation{
			Email: "åsa@example.com", Role: new("admin,member"), TeamID: &one, ExpiresAt: s.Now.Add(48 * time.Hour),
		}},
		{authdb.CreateInvitationParams{
			Email: "x@y", Role: "owner", TeamIDs: []string{two, one, two}, ExpiresAt: s.Now.Add(1999 * time.Microsecond),
		}, authdb.Invitation{
			Email: "x@y", Role: new("owner"), TeamID: new(two + "," + one), ExpiresAt: s.Now.Add(time.Millisecond),
		}},
	} {
		test.given.OrganizationID, test.given.InviterID = org.ID, inviter.ID
		inv := test.want
		inv.ID, inv.OrganizationID, inv.InviterID = s.Id(1), org.ID, inviter.ID
		inv.Status, inv.CreatedAt = "pending", s.Now
		kit.Returns(t, inv)(s.Invitations.Create(t.Context(), test.given))
		want["invitation"][inv.ID] = kit.AsRow(inv)
	}
	s.Holds(t, want)
}

func testInvitationRefused(t *testing.T, s *kit.Fixture) {
	a, b := kit.NewTenant(t, s), kit.NewTenant(t, s)
	stranger, plain := authdbtest.User(t, s.Store), authdbtest.Member(t, s.Store, kit.MemberOf(a.Org.ID, ""))
	want := kit.ReadTables(t, s.Store)
	for name, test := range map[string]struct {
		p     authdb.CreateInvitationParams
		kind  error
		field string
	}{
		"no organization":     {authdb.CreateInvitationParams{OrganizationID: "none", InviterID: a.User.ID}, authdb.ErrNotMember, "user_id"},
		"no inviter":          {authdb.CreateInvitationParams{InviterID: "none"}, authdb.ErrNotMember, "user_id"},
		"stranger":            {authdb.CreateInvitationParams{InviterID: stranger.ID}, authdb.ErrNotMember, "user_id"},
		"other's owner":       {authdb.CreateInvitationParams{InviterID: b.User.ID}, authdb.ErrNotMember, "user_id"},
		"owner by member":     {authdb.CreateInvitationParams{InviterID: plain.UserID, Role: "owner"}, authdb.ErrNotPermitted, "role"},
		"admin by member":     {authdb.CreateInvitationParams{InviterID: plain.UserID, Role: "member, admin"}, authdb.ErrNotPermitted, "role"},
		"a member's address":  {authdb.CreateInvitationParams{Email: strings.ToUpper(a.User.Email)}, authdb.ErrAlreadyMember, "email"},
		"other's team":        {authdb.CreateInvitationParams{TeamIDs: []string{a.Team.ID, b.Team.ID}}, authdb.ErrReference, "team_id"},
		"no team":             {authdb.CreateInvitationParams{TeamIDs: []string{"none"}}, authdb.ErrReference, "team_id"},
		"two teams in one id": {authdb.CreateInvitationParams{TeamIDs: []string{a.Team.ID + ",x"}}, authdb.ErrInvalidInput, "team_id"},
		"blank before an id":  {authdb.CreateInvitationParams{TeamIDs: []string{" " + a.Team.ID}}, authdb.ErrInvalidInput, "team_id"},
		"blank in an id":      {authdb.CreateInvitationParams{TeamIDs: []string{a.Team.ID + "\u2003x"}}, authdb.ErrInvalidInput, "team_id"},
		"over now":            {authdb.CreateInvitationParams{ExpiresAt: s.Now}, authdb.ErrInvalidInput, "expires_at"},
		"over":                {authdb.CreateInvitationParams{ExpiresAt: s.Now.Add(-time.Hour)}, authdb.ErrInvalidInput, "expires_at"},
		"negative limit":      {authdb.CreateInvitationParams{MaxPending: -1}, authdb.ErrInvalidInput, "max_pending"},
	} {
		t.Run(name, func(t *testing.T) {
			for field, value := range map[*string]string{
				&test.p.OrganizationID: a.Org.ID, &test.p.InviterID: a.User.ID, &test.p.Email: "new@refused.example",
			} {
				if *field == "" {
					*field = value
				}
			}
			_, err := s.Invitations.Create(t.Context(), test.p)
			kit.Fails(t, err, test.kind, "Invitations.Create", test.field)
		})
	}
	s.Holds(t, want)
}

// testInvitationOwnerRule: only an owner makes an owner, whatever the list of roles looks like.
func testInvitationOwnerRule(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, owner := kit.Owned(t, s)
	inviter := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
	create := func(role string) error {
		return kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: inviter.UserID, Email: "rule@example.com", Role: role,
		}))
	}
	setRole := func(role string) { kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, inviter.ID) }
	for _, role := range noOwners {
		setRole(role)
		for _, invited := range owners {
			kit.Fails(t, create(invited), authdb.ErrNotPermitted, "Invitations.Create", "role")
		}
		for _, invited := range noOwners {
			if err := create(invited); errors.Is(err, authdb.ErrNotPermitted) != (role == "member" && invited != "member") {
				t.Errorf("%q invites %q: %v", role, invited, err)
			}
		}
		// Nor by a new invitation where one is pending.
		kit.Fails(t, create("owner"), authdb.ErrNotPermitted, "Invitations.Create", "role")
	}
	for _, role := range owners {
		setRole(role)
		for _, invited := range owners {
			if err := create(invited); err != nil {
				t.Errorf("%q invites %q: %v", role, invited, err)
			}
		}
	}
	if n := kit.Must[int64](t)(s.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: org.ID})); n != 1 {
		t.Errorf("%d invitations of one address, owner %s", n, owner.ID)
	}
}

// testInvitationExtend: an address has one pending invitation, and inviting again changes that.
func testInvitationExtend(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	other := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = org.ID, "admin" })
	team := authdbtest.Team(t, s.Store, kit.TeamOf(org.ID))
	inv := kit.Invite(t, s, org.ID, inviter.ID, kit.To("again@example.com"))
	foreign, _ := kit.Owned(t, s)
	plant(t, s, org.ID, inviter.ID, "other@example.com", "pending", s.Now.Add(time.Hour))
	kit.Exec(t, s.Store, `UPDATE invitation SET organization_id = $1 WHERE id = $2`, foreign.ID,
		plant(t, s, org.ID, inviter.ID, "again@example.com", "pending", s.Now.Add(time.Hour)).ID)
	type params = authdb.CreateInvitationParams
	create := func(p params) (authdb.Invitation, error) {
		p.OrganizationID, p.Email = org.ID, "Again@example.com"
		return s.Invitations.Create(ctx, p)
	}
	later := inv.ExpiresAt.Add(time.Hour)
	kit.CheckUpdates(t, s, "invitation", inv, create, kit.Steps[params, authdb.Invitation]{
		{"the same", params{InviterID: inviter.ID, ExpiresAt: inv.ExpiresAt}, func(*authdb.Invitation) {}},
		{"a shorter time", params{InviterID: inviter.ID, ExpiresAt: s.Now.Add(time.Hour)}, func(*authdb.Invitation) {}},
		{
			"inviter, role and team",
			params{InviterID: other.UserID, Role: "admin", TeamIDs: []string{team.ID}, ExpiresAt: later},
			func(i *authdb.Invitation) {
				i.InviterID, i.Role, i.TeamID, i.ExpiresAt = other.UserID, new("admin"), &team.ID, later
			},
		},
		{"no team", params{InviterID: other.UserID, MaxPending: 1, ExpiresAt: later}, func(i *authdb.Invitation) {
			i.Role, i.TeamID = new("member"), nil
		}},
	})
}

// testInvitationCloses: of what another server left pending, the newest that has not expired goes on.
func testInvitationCloses(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	end := s.Now.Add(time.Hour)
	left := func(age time.Duration, status string, end time.Time) authdb.Invitation {
		inv := plant(t, s, org.ID, inviter.ID, "closes@example.com", status, end)
		inv.CreatedAt = s.Now.Add(-age)
		kit.Exec(t, s.Store, `UPDATE invitation SET created_at = $1 WHERE id = $2`, inv.CreatedAt, inv.ID)
		return inv
	}
	p := authdb.CreateInvitationParams{
		OrganizationID: org.ID, InviterID: inviter.ID, Email: "closes@example.com", ExpiresAt: s.Now.Add(time.Minute), MaxPending: 1,
	}
	foreign, owner := kit.Owned(t, s)
	kit.Invite(t, s, foreign.ID, owner.ID, kit.To("closes@example.com"))
	expired := []authdb.Invitation{left(0, "pending", s.Now), left(time.Hour, "pending", s.Now.Add(-time.Millisecond))}
	for _, status := range []string{"accepted", "rejected", "canceled"} {
		left(0, status, end)
	}
	want := kit.ReadTables(t, s.Store)
	created := authdb.Invitation{
		ID: s.Id(1), OrganizationID: org.ID, Email: p.Email, Role: new("member"), Status: "pending", ExpiresAt: p.ExpiresAt,
		CreatedAt: s.Now, InviterID: inviter.ID,
	}
	want["invitation"][created.ID] = kit.AsRow(created)
	for _, inv := range expired {
		want.Set("invitation", inv.ID, map[string]any{"status": "canceled"})
	}
	kit.Returns(t, created)(s.Invitations.Create(ctx, p)) // none stood: the expired ones are closed
	s.Holds(t, want)

	kit.Exec(t, s.Store, `DELETE FROM invitation WHERE id = $1`, created.ID)
	rows := []authdb.Invitation{
		left(time.Hour, "pending", end), left(time.Minute, "pending", end), left(time.Minute, "pending", s.Now.Add(time.Second)),
		left(time.Second, "pending", s.Now), // the newest, but expired
	}
	want = kit.ReadTables(t, s.Store)
	goesOn := rows[2] // of the same time as another: by id
	goesOn.ExpiresAt = p.ExpiresAt
	for _, inv := range rows {
		want.Set("invitation", inv.ID, map[string]any{"status": "canceled"})
	}
	want["invitation"][goesOn.ID] = kit.AsRow(goesOn)
	kit.Returns(t, goesOn)(s.Invitations.Create(ctx, p))
	s.Holds(t, want)
}

func testInvitationLimit(t *testing.T, s *kit.Fixture) {
	org, inviter := kit.Owned(t, s)
	inStates(t, s, org.ID, inviter.ID, "limit@example.com") // one that counts
	authdbtest.Invitation(t, s.Store)                       // of another organization
	create := func(email string, limit int) error {
		return kit.ErrOf(s.Invitations.Create(t.Context(), authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: inviter.ID, Email: email, MaxPending: limit,
		}))
	}
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, authdb.ErrLimitReached) {
			t.Errorf("got %v, want %v", err, authdb.ErrLimitReached)
		}
	}
	want := kit.ReadTables(t, s.Store)
	refused(create("new@limit.example", 1))
	s.Holds(t, want)
	for _, err := range []error{create("limit@example.com", 1), create("new@limit.example", 2), create("new@limit.example", 2)} {
		if err != nil {
			t.Error(err)
		}
	}
	refused(create("third@limit.example", 2))
}

func testInvitationGet(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	recipient := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "ØLGA@Example.com" })
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		inv := plant(t, s, org.ID, inviter.ID, "ølga@example.com", "pending", s.Now.Add(lifetime))
		kit.Returns(t, inv)(s.Invitations.Get(ctx, org.ID, inv.ID))
		kit.Returns(t, authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter})(s.Invitations.GetWithInviter(ctx, org.ID, inv.ID))
		kit.Returns(t, authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter})(
			s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{InvitationID: inv.ID, UserID: recipient.ID}))
	}
}

func testInvitationGetPending(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	get := func() (authdb.Invitation, error) { return s.Invitations.GetPending(ctx, org.ID, "Pending@Example.com") }
	first := inStates(t, s, org.ID, inviter.ID, "pending@example.com")
	kit.Invite(t, s, org.ID, inviter.ID)
	foreign, owner := kit.Owned(t, s)
	inStates(t, s, foreign.ID, owner.ID, "pending@example.com")
	kit.Returns(t, first)(get())
	second := inStates(t, s, org.ID, inviter.ID, "pending@example.com")
	kit.Returns(t, second)(get()) // of the same time: by id
	first.CreatedAt = s.Now.Add(time.Microsecond)
	kit.Exec(t, s.Store, `UPDATE invitation SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	kit.Returns(t, first)(get())
	s.Now = first.ExpiresAt
	_, err := get()
	kit.Fails(t, err, authdb.ErrNotFound, "Invitations.GetPending", "")
}

func testInvitationNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	inv, other := authdbtest.Invitation(t, s.Store), authdbtest.Invitation(t, s.Store)
	invited := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = inv.Email })
	want := kit.ReadTables(t, s.Store)
	for orgID, id := range map[string]string{inv.OrganizationID: "none", other.OrganizationID: inv.ID} {
		kit.NotFound(t, map[string]error{
			"Invitations.Get":            kit.ErrOf(s.Invitations.Get(ctx, orgID, id)),
			"Invitations.GetWithInviter": kit.ErrOf(s.Invitations.GetWithInviter(ctx, orgID, id)),
			"Invitations.Delete":         s.Invitations.Delete(ctx, orgID, id),
			"Invitations.Cancel":         kit.ErrOf(s.Invitations.Cancel(ctx, orgID, id)),
		})
	}
	for userID, id := range map[string]string{invited.ID: "none", other.InviterID: inv.ID, "none": inv.ID} {
		kit.NotFound(t, map[string]error{
			"Invitations.GetByRecipient": kit.ErrOf(s.Invitations.GetByRecipient(ctx,
				authdb.GetInvitationByRecipientParams{InvitationID: id, UserID: userID})),
		})
	}
	kit.NotFound(t, map[string]error{
		"Invitations.GetPending": kit.ErrOf(s.Invitations.GetPending(ctx, inv.OrganizationID, other.Email)),
		"Invitations.ListByRecipient": kit.ErrOf(s.Invitations.ListByRecipient(ctx,
			authdb.ListInvitationsByRecipientParams{UserID: "none"})),
	})
	s.Holds(t, want)
}

func testInvitationPending(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	inOrg, byEmail := []authdb.InvitationWithInviter{}, []authdb.ReceivedInvitation{}
	for _, email := range []string{"one@pending.example", "two@pending.example", "one@pending.example"} {
		inv := inStates(t, s, org.ID, inviter.ID, email)
		inOrg = append(inOrg, authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter})
		if strings.HasPrefix(email, "one") {
			byEmail = append(byEmail, authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter})
		}
	}
	p := authdb.ListInvitationsParams{OrganizationID: org.ID, Pending: true}
	recipient := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "One@Pending.example" })
	q := authdb.ListInvitationsByRecipientParams{UserID: recipient.ID, Pending: true}
	for _, p.Limit = range []int{1, 2, 0} {
		q.Limit = p.Limit
		kit.Returns(t, inOrg)(kit.Collect(s.Invitations.All(ctx, p), 100))
		kit.Returns(t, byEmail)(kit.Collect(s.Invitations.AllByRecipient(ctx, q), 100))
	}
	count := authdb.ListInvitationsParams{OrganizationID: org.ID}
	kit.Returns(t, int64(18))(s.Invitations.Count(ctx, count))
	count.Pending = true
	kit.Returns(t, int64(3))(s.Invitations.Count(ctx, count))
	s.Now = s.Now.Add(time.Millisecond)
	kit.Returns(t, inOrg[:0])(kit.Must[authdb.Page[authdb.InvitationWithInviter]](t)(s.Invitations.List(ctx, p)).Items, nil)
	kit.Returns(t, byEmail[:0])(kit.Must[authdb.Page[authdb.ReceivedInvitation]](t)(s.Invitations.ListByRecipient(ctx, q)).Items, nil)
	kit.Returns(t, int64(0))(s.Invitations.Count(ctx, count))
}

func testInvitationTeamFilter(t *testing.T, s *kit.Fixture) {
	org, inviter := kit.Owned(t, s)
	setTeams := func(inv authdb.Invitation, ids any) {
		kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, ids, inv.ID)
	}
	for i, ids := range []any{nil, "t1", "t10", "t1,t2", "t2,t1", "t3,t1,t2", "t2", "xt1"} {
		inv := kit.Invite(t, s, org.ID, inviter.ID)
		setTeams(inv, ids)
		if i == 3 {
			kit.Exec(t, s.Store, `UPDATE invitation SET status = 'canceled' WHERE id = $1`, inv.ID)
		}
	}
	setTeams(authdbtest.Invitation(t, s.Store), "t1")
	for _, test := range []struct {
		team    string
		pending bool
		want    []string
	}{
		{"t1", false, []string{"t1", "t1,t2", "t2,t1", "t3,t1,t2"}},
		{"t1", true, []string{"t1", "t2,t1", "t3,t1,t2"}},
		{"t2", false, []string{"t1,t2", "t2,t1", "t3,t1,t2", "t2"}},
		{"t10", false, []string{"t10"}},
		{"t", false, nil},
		{"t1,t2", false, nil},
		{"%", false, nil},
	} {
		var got []string
		p := authdb.ListInvitationsParams{OrganizationID: org.ID, TeamID: test.team, Pending: test.pending, Limit: 2}
		for inv, err := range s.Invitations.All(t.Context(), p) {
			got = append(got, *kit.Must[authdb.InvitationWithInviter](t)(inv, err).TeamID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("to team %q (-want +got):\n%s", test.team, diff)
		}
	}
}

func testInvitationAccept(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	for name, role := range map[string]struct {
		invited *string
		want    string
	}{
		"member": {new("member"), "member"}, "list": {new("admin,owner"), "admin,owner"}, "none": {nil, "member"}, "empty": {new(""), "member"},
	} {
		t.Run(name, func(t *testing.T) {
			g := kit.NewGuest(t, s)
			kit.Exec(t, s.Store, `UPDATE invitation SET role = $1 WHERE id = $2`, role.invited, g.Inv.ID)
			twice := plant(t, s, g.Org.ID, g.Tenant.User.ID, g.User.Email, "pending", s.Now.Add(time.Hour))
			s.Now = g.Inv.ExpiresAt.Add(-time.Millisecond)
			want := kit.ReadTables(t, s.Store)
			g.Inv.Role, g.Inv.Status, twice.Status = role.invited, "accepted", "canceled"
			want["invitation"][twice.ID] = kit.AsRow(twice)
			accepted := authdb.AcceptedInvitation{Invitation: g.Inv, Member: authdb.Member{
				ID: s.Id(1), OrganizationID: g.Org.ID, UserID: g.User.ID, Role: role.want, CreatedAt: s.Now,
			}}
			want["invitation"][g.Inv.ID], want["member"][accepted.Member.ID] = kit.AsRow(g.Inv), kit.AsRow(accepted.Member)
			p := authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID, MaxMembers: 3, MaxTeamMembers: 1}
			kit.Returns(t, accepted)(s.Invitations.Accept(ctx, p))
			s.Holds(t, want)
			accepted.AlreadyAccepted = true
			s.Now = s.Now.Add(time.Hour) // it has expired, and the organization is full
			kit.Returns(t, accepted)(s.Invitations.Accept(ctx, p))
			s.Holds(t, want)
			if err := s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: g.Org.ID, MemberID: accepted.Member.ID}); err != nil {
				t.Fatal(err)
			}
			_, err := s.Invitations.Accept(ctx, p) // no way back in
			kit.Fails(t, err, authdb.ErrNotPending, "Invitations.Accept", "")
		})
	}
}

func testInvitationAcceptTeams(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	for name, list := range map[string]func(a, b, gone, foreign string) string{
		"two":      func(a, b, _, _ string) string { return a + "," + b },
		"blanks":   func(a, b, _, _ string) string { return " " + b + " , " + a + " " },
		"gone":     func(a, b, gone, _ string) string { return gone + "," + a + "," + b },
		"foreign":  func(a, b, _, foreign string) string { return a + "," + foreign + "," + b },
		"twice":    func(a, b, _, _ string) string { return a + "," + b + "," + a },
		"of blank": func(a, b, _, _ string) string { return a + ",," + b + "," },
	} {
		t.Run(name, func(t *testing.T) {
			g, foreign := kit.NewGuest(t, s), authdbtest.Team(t, s.Store)
			team := func() authdb.Team { return authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID)) }
			one, two, gone := team(), team(), team()
			kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, list(one.ID, two.ID, gone.ID, foreign.ID), g.Inv.ID)
			kit.Exec(t, s.Store, `DELETE FROM team WHERE id = $1`, gone.ID)
			s.Now = s.Now.Add(time.Minute)
			want := kit.ReadTables(t, s.Store)
			want.Set("invitation", g.Inv.ID, map[string]any{"status": "accepted"})
			member := authdb.Member{ID: s.Id(1), OrganizationID: g.Org.ID, UserID: g.User.ID, Role: "member", CreatedAt: s.Now}
			want["member"][member.ID] = kit.AsRow(member)
			got := kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: true}))
			kit.Returns(t, member)(got.Member, nil)
			s.ExpectSeat(t, want, one.ID, g.User.ID)
			s.ExpectSeat(t, want, two.ID, g.User.ID)
			s.Holds(t, want)
		})
	}
}

func testInvitationAcceptAsMember(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	g := kit.NewGuest(t, s, func(p *authdb.CreateInvitationParams) { p.Role = "owner" })
	member := authdbtest.Member(t, s.Store, kit.MemberOf(g.Org.ID, g.User.ID)) // which cancels what is pending, as no other server does
	kit.Exec(t, s.Store, `UPDATE invitation SET status = 'pending' WHERE id = $1`, g.Inv.ID)
	authdbtest.TeamMember(t, s.Store, kit.TeamMemberOf(g.Team, g.User.ID))
	other := authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID))
	g.Inv.TeamID = new(g.Team.ID + "," + other.ID)
	kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, g.Inv.TeamID, g.Inv.ID)
	s.Now = s.Now.Add(time.Minute)
	want := kit.ReadTables(t, s.Store)
	g.Inv.Status = "accepted"
	want["invitation"][g.Inv.ID] = kit.AsRow(g.Inv)
	p := authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID, MaxMembers: 1, MaxTeamMembers: 1} // nobody is added but to the other team
	kit.Returns(t, authdb.AcceptedInvitation{Invitation: g.Inv, Member: member})(s.Invitations.Accept(ctx, p))
	s.ExpectSeat(t, want, other.ID, g.User.ID)
	s.Holds(t, want)
}

func testInvitationAcceptRefused(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	g, stranger := kit.NewGuest(t, s), authdbtest.User(t, s.Store)
	none := authdb.AcceptInvitationParams{AllowUnverified: true}
	accept := func(invitationID, userID string, p authdb.AcceptInvitationParams) error {
		t.Helper()
		want := kit.ReadTables(t, s.Store)
		defer s.Holds(t, want)
		p.InvitationID, p.UserID = invitationID, userID
		return kit.ErrOf(s.Invitations.Accept(ctx, p))
	}
	refused := func(err, kind error, field string) {
		t.Helper()
		kit.Fails(t, err, kind, "Invitations.Accept", field)
	}
	refused(accept("none", g.User.ID, none), authdb.ErrNotFound, "")
	refused(accept(g.Inv.ID, "none", none), authdb.ErrNotFound, "")
	err := accept(g.Inv.ID, stranger.ID, none)
	refused(err, authdb.ErrNotRecipient, "")
	if !errors.Is(err, authdb.ErrNotFound) {
		t.Errorf("%v is no ErrNotFound", err)
	}
	refused(accept(g.Inv.ID, g.Tenant.User.ID, none), authdb.ErrNotRecipient, "")
	kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, g.User.ID, authdb.SetEmailParams{Email: g.User.Email}))
	refused(accept(g.Inv.ID, g.User.ID, authdb.AcceptInvitationParams{}), authdb.ErrEmailNotVerified, "")
	refused(accept(g.Inv.ID, g.User.ID, authdb.AcceptInvitationParams{MaxMembers: -1}), authdb.ErrInvalidInput, "max_members")
	refused(accept(g.Inv.ID, g.User.ID, authdb.AcceptInvitationParams{MaxTeamMembers: -1}), authdb.ErrInvalidInput, "max_team_members")
	for _, status := range []string{"accepted", "rejected", "canceled"} {
		inv := plant(t, s, g.Org.ID, g.Tenant.User.ID, g.User.Email, status, s.Now.Add(time.Hour))
		refused(accept(inv.ID, g.User.ID, none), authdb.ErrNotPending, "")
		refused(accept(inv.ID, stranger.ID, none), authdb.ErrNotRecipient, "")
	}
	s.Now = g.Inv.ExpiresAt
	refused(accept(g.Inv.ID, g.User.ID, none), authdb.ErrExpired, "")
	refused(accept(g.Inv.ID, stranger.ID, none), authdb.ErrNotRecipient, "")
	s.Now = s.Now.Add(-time.Millisecond)
	none.InvitationID, none.UserID = g.Inv.ID, g.User.ID
	if err := kit.ErrOf(s.Invitations.Accept(ctx, none)); err != nil { // unverified
		t.Error(err)
	}
}

func testInvitationAcceptLimits(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	g := kit.NewGuest(t, s)
	empty := authdbtest.Team(t, s.Store, kit.TeamOf(g.Org.ID))
	kit.Exec(t, s.Store, `UPDATE invitation SET team_id = $1 WHERE id = $2`, empty.ID+","+g.Team.ID, g.Inv.ID)
	accept := func(p authdb.AcceptInvitationParams) error {
		p.InvitationID, p.UserID = g.Inv.ID, g.User.ID
		return kit.ErrOf(s.Invitations.Accept(ctx, p))
	}
	want := kit.ReadTables(t, s.Store)
	if err := accept(authdb.AcceptInvitationParams{MaxMembers: 2}); !errors.Is(err, authdb.ErrLimitReached) {
		t.Error(err)
	}
	full := authdb.AcceptInvitationParams{MaxTeamMembers: 1}
	kit.Fails(t, accept(full), authdb.ErrLimitReached, "Invitations.Accept", "max_team_members")
	s.Holds(t, want)
	kit.Exec(t, s.Store, `UPDATE team SET member_count = 0 WHERE id = $1`, g.Team.ID) // of a Better Auth that does not count
	kit.Fails(t, accept(full), authdb.ErrLimitReached, "Invitations.Accept", "max_team_members")
	kit.Exec(t, s.Store, `UPDATE team SET member_count = 2 WHERE id = $1`, empty.ID) // reserved
	full.MaxTeamMembers = 2
	kit.Fails(t, accept(full), authdb.ErrLimitReached, "Invitations.Accept", "max_team_members")
	if err := accept(authdb.AcceptInvitationParams{MaxMembers: 3, MaxTeamMembers: 3}); err != nil {
		t.Error(err)
	}
}

func testInvitationReject(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	g, stranger := kit.NewGuest(t, s), authdbtest.User(t, s.Store)
	expired := plant(t, s, g.Org.ID, g.Tenant.User.ID, g.User.Email, "pending", s.Now)
	want := kit.ReadTables(t, s.Store)
	for id, userID := range map[string]string{"none": g.User.ID, g.Inv.ID: stranger.ID, expired.ID: "none"} {
		_, err := s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: id, UserID: userID, AllowUnverified: true})
		if e, ok := errors.AsType[*authdb.Error](err); !ok || e.Op != "Invitations.Reject" || !errors.Is(err, authdb.ErrNotFound) ||
			errors.Is(err, authdb.ErrNotRecipient) != (id != "none") {
			t.Errorf("%s by %s: %v", id, userID, err)
		}
	}
	s.Holds(t, want)
	for _, inv := range []authdb.Invitation{g.Inv, expired} {
		inv.Status = "rejected"
		want["invitation"][inv.ID] = kit.AsRow(inv)
		kit.Returns(t, inv)(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: inv.ID, UserID: g.User.ID, AllowUnverified: true}))
		s.Holds(t, want)
		_, err := s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: inv.ID, UserID: g.User.ID, AllowUnverified: true})
		kit.Fails(t, err, authdb.ErrNotPending, "Invitations.Reject", "")
	}
	s.Holds(t, want)
}

func testInvitationCancel(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	a := kit.NewTenant(t, s)
	expired := plant(t, s, a.Org.ID, a.User.ID, a.Invitation.Email, "pending", s.Now)
	want := kit.ReadTables(t, s.Store)
	for _, inv := range []authdb.Invitation{a.Invitation, expired} {
		inv.Status = "canceled"
		want["invitation"][inv.ID] = kit.AsRow(inv)
		kit.Returns(t, inv)(s.Invitations.Cancel(ctx, a.Org.ID, inv.ID))
		s.Holds(t, want)
		for _, status := range []string{"canceled", "accepted", "rejected"} {
			kit.Exec(t, s.Store, `UPDATE invitation SET status = $1 WHERE id = $2`, status, inv.ID)
			want.Set("invitation", inv.ID, map[string]any{"status": status})
			_, err := s.Invitations.Cancel(ctx, a.Org.ID, inv.ID)
			kit.Fails(t, err, authdb.ErrNotPending, "Invitations.Cancel", "")
		}
	}
	s.Holds(t, want)
}

func testInvitationCancelExpired(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	org, inviter := kit.Owned(t, s)
	foreign, owner := kit.Owned(t, s)
	inStates(t, s, foreign.ID, owner.ID, "expired@example.com")
	inStates(t, s, org.ID, inviter.ID, "expired@example.com")
	want := kit.ReadTables(t, s.Store)
	for id, row := range want["invitation"] {
		if row["organization_id"] == org.ID && row["status"] == "pending" && row["expires_at"].(string) <= kit.JSONTime(s.Now) {
			want.Set("invitation", id, map[string]any{"status": "canceled"})
		}
	}
	kit.Returns(t, int64(2))(s.Invitations.CancelExpired(ctx, org.ID))
	kit.Returns(t, int64(0))(s.Invitations.CancelExpired(ctx, org.ID))
	s.Holds(t, want)
}

func testInvitationDelete(t *testing.T, s *kit.Fixture) {
	kept := authdbtest.Invitation(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	inv := plant(t, s, kept.OrganizationID, kept.InviterID, kept.Email, "pending", kept.ExpiresAt)
	s.Deletes(t, want, "Invitations.Delete", func() error { return s.Invitations.Delete(t.Context(), inv.OrganizationID, inv.ID) })
}

func testInvitationList(t *testing.T, s *kit.Fixture) {
	other := authdbtest.Invitation(t, s.Store)
	org := authdbtest.Organization(t, s.Store)
	rows := rowsOf(func() authdb.InvitationWithInviter {
		inviter := authdbtest.User(t, s.Store)
		authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, inviter.ID))
		inv := plant(t, s, org.ID, inviter.ID, other.Email, "pending", other.ExpiresAt)
		return authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter}
	})
	kit.Returns(t, int64(54))(s.Invitations.Count(t.Context(), authdb.ListInvitationsParams{OrganizationID: org.ID}))
	checkList(t, s, "Invitations.List", "invitation", rows, func(after authdb.Cursor, limit int) authdb.ListInvitationsParams {
		return authdb.ListInvitationsParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Invitations.List, s.Invitations.All)
}

func testInvitationListByRecipient(t *testing.T, s *kit.Fixture) {
	other := authdbtest.Invitation(t, s.Store)
	inviter := kit.Must[authdb.User](t)(s.Users.Get(t.Context(), other.InviterID))
	recipient := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "lists@example.com" })
	rows := rowsOf(func() authdb.ReceivedInvitation {
		org := authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = inviter.ID })
		inv := kit.Invite(t, s, org.ID, inviter.ID, kit.To("Lists@example.com"))
		return authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter}
	})
	type params = authdb.ListInvitationsByRecipientParams
	checkList(t, s, "Invitations.ListByRecipient", "invitation", rows, func(after authdb.Cursor, limit int) params {
		return params{UserID: recipient.ID, After: after, Limit: limit}
	}, s.Invitations.ListByRecipient, s.Invitations.AllByRecipient)
}

func testInvitationFilters(t *testing.T, s *kit.Fixture) {
	org, inviter := kit.Owned(t, s)
	recipient := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "states@example.com" })
	inOrg, received := []authdb.InvitationWithInviter{}, []authdb.ReceivedInvitation{}
	for i, status := range []string{"pending", "accepted", "rejected", "canceled", "pending", "pending"} {
		inv := plant(t, s, org.ID, inviter.ID, recipient.Email, status, s.Now.Add(time.Duration(2*i-9)*time.Millisecond))
		inOrg = append(inOrg, authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter})
	}
	inOrg = spread(t, s, "invitation", inOrg)
	for _, inv := range inOrg {
		received = append(received, authdb.ReceivedInvitation{Invitation: inv.Invitation, Organization: org, Inviter: inviter})
	}
	other, stranger := kit.Owned(t, s)
	inStates(t, s, other.ID, stranger.ID, "others@example.com")
	countReceived := func(ctx context.Context, p authdb.ListInvitationsByRecipientParams) (n int64, err error) {
		for _, err := range s.Invitations.AllByRecipient(ctx, p) {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}
	for _, status := range []string{"", "pending", "accepted", "rejected", "canceled", "Pending", "expired"} {
		for _, pending := range []bool{false, true} {
			t.Run(fmt.Sprint(status, " ", pending), func(t *testing.T) {
				out := func(inv authdb.Invitation) bool {
					return status != "" && inv.Status != status || pending && (inv.Status != "pending" || !inv.ExpiresAt.After(s.Now))
				}
				checkFilter(t, authdb.ListInvitationsParams{OrganizationID: org.ID, Status: status, Pending: pending},
					slices.DeleteFunc(slices.Clone(inOrg), func(i authdb.InvitationWithInviter) bool { return out(i.Invitation) }),
					s.Invitations.All, s.Invitations.Count)
				checkFilter(t, authdb.ListInvitationsByRecipientParams{
					UserID: recipient.ID, AllowUnverified: true, Status: status, Pending: pending,
				}, slices.DeleteFunc(slices.Clone(received), func(i authdb.ReceivedInvitation) bool { return out(i.Invitation) }),
					s.Invitations.AllByRecipient, countReceived)
			})
		}
	}
}
