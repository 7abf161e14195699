package authdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testInvitationCreate},
		{"CreateReference", testInvitationReference},
		{"Get", testInvitationGet},
		{"GetPending", testInvitationGetPending},
		{"NotFound", testInvitationNotFound},
		{"Pending", testInvitationPending},
		{"TeamFilter", testInvitationTeamFilter},
		{"Update", testInvitationUpdate},
		{"Delete", testInvitationDelete},
		{"List", testInvitationList},
		{"ListByEmail", testInvitationListByEmail},
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

func invite(t *testing.T, s *fixture, orgID, inviterID string, edit ...func(*authdb.CreateInvitationParams)) authdb.Invitation {
	t.Helper()
	return authdbtest.Invitation(t, s.Store, append(edit, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID = orgID, inviterID
	})...)
}

func to(email string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.Email = email }
}

func until(end time.Time) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.ExpiresAt = end }
}

func toTeams(ids ...string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.TeamIDs = ids }
}

// inStates makes an invitation that is pending, and one in each state that is not.
func inStates(t *testing.T, s *fixture, orgID, inviterID, email string) (pending authdb.Invitation) {
	t.Helper()
	for _, status := range []string{"pending", "accepted", "rejected", "canceled"} {
		inv := invite(t, s, orgID, inviterID, to(email), until(s.now.Add(time.Millisecond)))
		exec(t, s.Store, `UPDATE invitation SET status = $1 WHERE id = $2`, status, inv.ID)
		if status == "pending" {
			pending = inv
		}
	}
	for _, end := range []time.Time{s.now, s.now.Add(-time.Millisecond)} {
		invite(t, s, orgID, inviterID, to(email), until(end))
	}
	return pending
}

func testInvitationCreate(t *testing.T, s *fixture) {
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for _, test := range []struct {
		given authdb.CreateInvitationParams
		want  authdb.Invitation
	}{
		{authdb.CreateInvitationParams{Email: "Grace@Example.com", TeamIDs: []string{}}, authdb.Invitation{
			Email: "grace@example.com", Role: new("member"), ExpiresAt: s.now.Add(48 * time.Hour),
		}},
		{authdb.CreateInvitationParams{Email: "ÅSA@example.com", Role: "admin,member", TeamIDs: []string{"t1"}}, authdb.Invitation{
			Email: "åsa@example.com", Role: new("admin,member"), TeamID: new("t1"), ExpiresAt: s.now.Add(48 * time.Hour),
		}},
		{authdb.CreateInvitationParams{Email: "x@y", TeamIDs: []string{"t2", "t1"}, ExpiresAt: s.now.Add(999 * time.Microsecond)}, authdb.Invitation{
			Email: "x@y", Role: new("member"), TeamID: new("t2,t1"), ExpiresAt: s.now,
		}},
	} {
		test.given.OrganizationID, test.given.InviterID = org.ID, inviter.ID
		inv := test.want
		inv.ID, inv.OrganizationID, inv.InviterID = s.id(1), org.ID, inviter.ID
		inv.Status, inv.CreatedAt = "pending", s.now
		returns(t, inv)(s.Invitations.Create(t.Context(), test.given))
		want["invitation"][inv.ID] = asRow(inv)
	}
	s.holds(t, want)
}

func testInvitationReference(t *testing.T, s *fixture) {
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	_, err := s.Invitations.Create(t.Context(), authdb.CreateInvitationParams{OrganizationID: "none", InviterID: inviter.ID, Email: "a@b"})
	fails(t, err, authdb.ErrReference, "Invitations.Create", "organization_id")
	_, err = s.Invitations.Create(t.Context(), authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: "none", Email: "a@b"})
	fails(t, err, authdb.ErrReference, "Invitations.Create", "inviter_id")
	s.holds(t, want)
}

func testInvitationGet(t *testing.T, s *fixture) {
	ctx := t.Context()
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		inv := invite(t, s, org.ID, inviter.ID, to("ølga@example.com"), until(s.now.Add(lifetime)))
		returns(t, inv)(s.Invitations.Get(ctx, org.ID, inv.ID))
		returns(t, authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter})(s.Invitations.GetWithInviter(ctx, org.ID, inv.ID))
		returns(t, authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter})(
			s.Invitations.GetByRecipient(ctx, inv.ID, "ØLGA@Example.com"))
	}
}

func testInvitationGetPending(t *testing.T, s *fixture) {
	ctx := t.Context()
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	get := func() (authdb.Invitation, error) { return s.Invitations.GetPending(ctx, org.ID, "Pending@Example.com") }
	first := inStates(t, s, org.ID, inviter.ID, "pending@example.com")
	invite(t, s, org.ID, inviter.ID)
	inStates(t, s, authdbtest.Organization(t, s.Store).ID, inviter.ID, "pending@example.com")
	returns(t, first)(get())
	second := inStates(t, s, org.ID, inviter.ID, "pending@example.com")
	returns(t, second)(get()) // of the same time: by id
	first.CreatedAt = s.now.Add(time.Microsecond)
	exec(t, s.Store, `UPDATE invitation SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	returns(t, first)(get())
	s.now = first.ExpiresAt
	_, err := get()
	fails(t, err, authdb.ErrNotFound, "Invitations.GetPending", "")
}

func testInvitationNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	inv, other := authdbtest.Invitation(t, s.Store), authdbtest.Invitation(t, s.Store)
	want := readTables(t, s.Store)
	for orgID, id := range map[string]string{inv.OrganizationID: "none", other.OrganizationID: inv.ID} {
		notFound(t, map[string]error{
			"Invitations.Get":            errOf(s.Invitations.Get(ctx, orgID, id)),
			"Invitations.GetWithInviter": errOf(s.Invitations.GetWithInviter(ctx, orgID, id)),
			"Invitations.Update":         errOf(s.Invitations.Update(ctx, orgID, id, authdb.UpdateInvitationParams{})),
			"Invitations.Delete":         s.Invitations.Delete(ctx, orgID, id),
		})
	}
	for email, id := range map[string]string{inv.Email: "none", other.Email: inv.ID} {
		notFound(t, map[string]error{
			"Invitations.GetByRecipient": errOf(s.Invitations.GetByRecipient(ctx, id, email)),
			"Invitations.GetPending":     errOf(s.Invitations.GetPending(ctx, inv.OrganizationID, other.Email)),
		})
	}
	s.holds(t, want)
}

func testInvitationPending(t *testing.T, s *fixture) {
	ctx := t.Context()
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	inOrg, byEmail := []authdb.InvitationWithInviter{}, []authdb.ReceivedInvitation{}
	for _, email := range []string{"one@pending.example", "two@pending.example", "one@pending.example"} {
		inv := inStates(t, s, org.ID, inviter.ID, email)
		inOrg = append(inOrg, authdb.InvitationWithInviter{Invitation: inv, Inviter: inviter})
		if strings.HasPrefix(email, "one") {
			byEmail = append(byEmail, authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter})
		}
	}
	p := authdb.ListInvitationsParams{OrganizationID: org.ID, Pending: true}
	q := authdb.ListInvitationsByEmailParams{Email: "One@Pending.example", Pending: true}
	for _, p.Limit = range []int{1, 2, 0} {
		q.Limit = p.Limit
		returns(t, inOrg)(collect(s.Invitations.All(ctx, p), 100))
		returns(t, byEmail)(collect(s.Invitations.AllByEmail(ctx, q), 100))
	}
	count := authdb.CountInvitationsParams{OrganizationID: org.ID}
	returns(t, int64(18))(s.Invitations.Count(ctx, count))
	count.Pending = true
	returns(t, int64(3))(s.Invitations.Count(ctx, count))
	s.now = s.now.Add(time.Millisecond)
	returns(t, inOrg[:0])(must[authdb.Page[authdb.InvitationWithInviter]](t)(s.Invitations.List(ctx, p)).Items, nil)
	returns(t, byEmail[:0])(must[authdb.Page[authdb.ReceivedInvitation]](t)(s.Invitations.ListByEmail(ctx, q)).Items, nil)
	returns(t, int64(0))(s.Invitations.Count(ctx, count))
}

func testInvitationTeamFilter(t *testing.T, s *fixture) {
	org, inviter := authdbtest.Organization(t, s.Store), authdbtest.User(t, s.Store)
	for i, teams := range [][]string{nil, {"t1"}, {"t10"}, {"t1", "t2"}, {"t2", "t1"}, {"t3", "t1", "t2"}, {"t2"}, {"xt1"}} {
		inv := invite(t, s, org.ID, inviter.ID, toTeams(teams...))
		if i == 3 {
			exec(t, s.Store, `UPDATE invitation SET status = 'canceled' WHERE id = $1`, inv.ID)
		}
	}
	invite(t, s, authdbtest.Organization(t, s.Store).ID, inviter.ID, toTeams("t1"))
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
			got = append(got, *must[authdb.InvitationWithInviter](t)(inv, err).TeamID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("to team %q (-want +got):\n%s", test.team, diff)
		}
	}
}

func testInvitationUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateInvitationParams
	end := s.now.Add(-time.Hour)
	inv := authdbtest.Invitation(t, s.Store, toTeams("t1"))
	invite(t, s, inv.OrganizationID, inv.InviterID, to(inv.Email))
	exec(t, s.Store, `UPDATE invitation SET status = 'accepted' WHERE id = $1`, inv.ID)
	inv.Status = "accepted"
	teams := func(ids ...string) params { return params{TeamIDs: authdb.Set(ids)} }
	checkUpdates(t, s, "invitation", inv,
		func(p params) (authdb.Invitation, error) {
			return s.Invitations.Update(t.Context(), inv.OrganizationID, inv.ID, p)
		},
		[]step[params, authdb.Invitation]{
			{"nothing", params{}, func(*authdb.Invitation) {}},
			{"role", params{Role: authdb.Set("admin")}, func(i *authdb.Invitation) { i.Role = new("admin") }},
			{"no role", params{Role: authdb.SetNull[string]()}, func(i *authdb.Invitation) { i.Role = nil }},
			{"end", params{ExpiresAt: new(end.Add(time.Microsecond))}, func(i *authdb.Invitation) { i.ExpiresAt = end }},
			{"two teams", teams("t2", "t3"), func(i *authdb.Invitation) { i.TeamID = new("t2,t3") }},
			{"empty list", params{TeamIDs: authdb.Set([]string{})}, func(i *authdb.Invitation) { i.TeamID = nil }},
			{"one team", teams("t4"), func(i *authdb.Invitation) { i.TeamID = new("t4") }},
			{"no teams", params{TeamIDs: authdb.SetNull[[]string]()}, func(i *authdb.Invitation) { i.TeamID = nil }},
		})
}

func testInvitationDelete(t *testing.T, s *fixture) {
	kept := authdbtest.Invitation(t, s.Store)
	want := readTables(t, s.Store)
	inv := invite(t, s, kept.OrganizationID, kept.InviterID, to(kept.Email))
	s.deletes(t, want, "Invitations.Delete", func() error { return s.Invitations.Delete(t.Context(), inv.OrganizationID, inv.ID) })
}

func testInvitationList(t *testing.T, s *fixture) {
	other := authdbtest.Invitation(t, s.Store)
	org := authdbtest.Organization(t, s.Store)
	rows := rowsOf(func() authdb.InvitationWithInviter {
		inviter := authdbtest.User(t, s.Store)
		return authdb.InvitationWithInviter{Invitation: invite(t, s, org.ID, inviter.ID, to(other.Email)), Inviter: inviter}
	})
	returns(t, int64(54))(s.Invitations.Count(t.Context(), authdb.CountInvitationsParams{OrganizationID: org.ID}))
	checkList(t, s, "Invitations.List", "invitation", rows, func(after authdb.Cursor, limit int) authdb.ListInvitationsParams {
		return authdb.ListInvitationsParams{OrganizationID: org.ID, After: after, Limit: limit}
	}, s.Invitations.List, s.Invitations.All)
}

func testInvitationListByEmail(t *testing.T, s *fixture) {
	other := authdbtest.Invitation(t, s.Store)
	inviter := must[authdb.User](t)(s.Users.Get(t.Context(), other.InviterID))
	rows := rowsOf(func() authdb.ReceivedInvitation {
		org := authdbtest.Organization(t, s.Store)
		inv := invite(t, s, org.ID, other.InviterID, to("Lists@example.com"))
		return authdb.ReceivedInvitation{Invitation: inv, Organization: org, Inviter: inviter}
	})
	checkList(t, s, "Invitations.ListByEmail", "invitation", rows, func(after authdb.Cursor, limit int) authdb.ListInvitationsByEmailParams {
		return authdb.ListInvitationsByEmailParams{Email: "lists@Example.com", After: after, Limit: limit}
	}, s.Invitations.ListByEmail, s.Invitations.AllByEmail)
}
