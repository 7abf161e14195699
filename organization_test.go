package authdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestOrganizations(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testOrganizationCreate},
		{"CreateDefaultTeam", testOrganizationDefaultTeam},
		{"CreateConflict", testOrganizationConflict},
		{"CreateReference", testOrganizationReference},
		{"Get", testOrganizationGet},
		{"NotFound", testOrganizationNotFound},
		{"Update", testOrganizationUpdate},
		{"DeleteCascade", testOrganizationDelete},
		{"DeleteSessions", testOrganizationDeleteSessions},
		{"List", testOrganizationList},
		{"ListByUser", testOrganizationListByUser},
	})
}

func testOrganizationCreate(t *testing.T, s *fixture) {
	owner := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for _, org := range []authdb.Organization{
		{Name: "Least", Slug: "least"},
		{Name: "Full", Slug: "full", Logo: new("https://example.com/logo"), Metadata: new(`{"plan":"pro"}`)},
	} {
		org.ID, org.CreatedAt = s.id(1), s.now
		member := authdb.Member{ID: s.id(2), OrganizationID: org.ID, UserID: owner.ID, Role: "owner", CreatedAt: s.now}
		returns(t, org)(s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{
			Name: org.Name, Slug: org.Slug, Logo: org.Logo, Metadata: org.Metadata, OwnerID: owner.ID,
		}))
		want["organization"][org.ID], want["member"][member.ID] = asRow(org), asRow(member)
	}
	s.holds(t, want)
}

func testOrganizationDefaultTeam(t *testing.T, s *fixture) {
	owner := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	org := authdb.Organization{ID: s.id(1), Name: "Ärger & Co", Slug: "default-team", CreatedAt: s.now}
	member := authdb.Member{ID: s.id(2), OrganizationID: org.ID, UserID: owner.ID, Role: "owner", CreatedAt: s.now}
	team := authdb.Team{ID: s.id(3), Name: org.Name, OrganizationID: org.ID, CreatedAt: s.now, UpdatedAt: &s.now, MemberCount: 1}
	seat := authdb.TeamMember{
		ID: s.id(4), TeamID: team.ID, UserID: owner.ID, CreatedAt: &s.now, MembershipKey: membershipKey(team.ID, owner.ID),
	}
	p := authdb.CreateOrganizationParams{Name: org.Name, Slug: org.Slug, OwnerID: owner.ID, DefaultTeam: true}
	returns(t, org)(s.Organizations.Create(t.Context(), p))
	want["organization"][org.ID], want["member"][member.ID] = asRow(org), asRow(member)
	want["team"][team.ID], want["team_member"][seat.ID] = asRow(team), asRow(seat)
	s.holds(t, want)
	fails(t, errOf(s.Organizations.Create(t.Context(), p)), authdb.ErrSlugTaken, "Organizations.Create", "slug")
	p.Slug, p.OwnerID = "ownerless-team", "none"
	fails(t, errOf(s.Organizations.Create(t.Context(), p)), authdb.ErrReference, "Organizations.Create", "user_id")
	s.holds(t, want)
}

func testOrganizationConflict(t *testing.T, s *fixture) {
	org, other := authdbtest.Organization(t, s.Store), authdbtest.Organization(t, s.Store)
	owner := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	_, err := s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{Slug: org.Slug, OwnerID: owner.ID})
	fails(t, err, authdb.ErrSlugTaken, "Organizations.Create", "slug")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	_, err = s.Organizations.Update(t.Context(), other.ID, authdb.UpdateOrganizationParams{Slug: authdb.Set(org.Slug)})
	fails(t, err, authdb.ErrSlugTaken, "Organizations.Update", "slug")
	s.holds(t, want)
}

func testOrganizationReference(t *testing.T, s *fixture) {
	want := readTables(t, s.Store)
	_, err := s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{Slug: "ownerless", OwnerID: "none"})
	fails(t, err, authdb.ErrReference, "Organizations.Create", "user_id")
	s.holds(t, want)
}

func testOrganizationGet(t *testing.T, s *fixture) {
	for _, slug := range []string{"acme", "Acme"} {
		org := authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.Slug = slug })
		returns(t, org)(s.Organizations.Get(t.Context(), org.ID))
		returns(t, org)(s.Organizations.GetBySlug(t.Context(), slug))
	}
}

func testOrganizationNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.Slug = "Upper" })
	want := readTables(t, s.Store)
	notFound(t, map[string]error{
		"Organizations.Get":       errOf(s.Organizations.Get(ctx, "none")),
		"Organizations.GetBySlug": errOf(s.Organizations.GetBySlug(ctx, "upper")),
		"Organizations.Update":    errOf(s.Organizations.Update(ctx, "none", authdb.UpdateOrganizationParams{})),
		"Organizations.Delete":    errOf(s.Organizations.Delete(ctx, "none")),
	})
	s.holds(t, want)
}

func testOrganizationUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateOrganizationParams
	authdbtest.Organization(t, s.Store)
	org := authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) {
		p.Logo, p.Metadata = new("https://example.com/1"), new("{}")
	})
	checkUpdates(t, s, "organization", org,
		func(p params) (authdb.Organization, error) { return s.Organizations.Update(t.Context(), org.ID, p) },
		[]step[params, authdb.Organization]{
			{"nothing", params{}, func(*authdb.Organization) {}},
			{"name", params{Name: authdb.Set("New")}, func(o *authdb.Organization) { o.Name = "New" }},
			{"slug", params{Slug: authdb.Set("new-slug")}, func(o *authdb.Organization) { o.Slug = "new-slug" }},
			{"own slug", params{Slug: authdb.Set("new-slug")}, func(*authdb.Organization) {}},
			{"logo", params{Logo: authdb.Set("l")}, func(o *authdb.Organization) { o.Logo = new("l") }},
			{"no logo", params{Logo: authdb.SetNull[string]()}, func(o *authdb.Organization) { o.Logo = nil }},
			{"metadata", params{Metadata: authdb.Set("[1]")}, func(o *authdb.Organization) { o.Metadata = new("[1]") }},
			{"no metadata", params{Metadata: authdb.SetNull[string]()}, func(o *authdb.Organization) { o.Metadata = nil }},
		})
}

func testOrganizationDelete(t *testing.T, s *fixture) {
	gone, _ := newTenant(t, s), newTenant(t, s)
	want := readTables(t, s.Store)
	for table, id := range map[string]string{
		"organization": gone.org.ID, "member": gone.member.ID, "team": gone.team.ID, "team_member": gone.teamMember.ID,
		"invitation": gone.invitation.ID,
	} {
		delete(want[table], id)
	}
	delete(want["member"], gone.coOwner.ID)
	session := gone.session
	session.ActiveOrganizationID, session.ActiveTeamID, session.UpdatedAt = nil, nil, s.now
	want["session"][session.ID] = asRow(session)
	s.deletes(t, want, "Organizations.Delete", func() error { return errOf(s.Organizations.Delete(t.Context(), gone.org.ID)) })
}

func testOrganizationDeleteSessions(t *testing.T, s *fixture) {
	ctx := t.Context()
	gone, other := newTenant(t, s), newTenant(t, s)
	session := func(userID string, org, team *string) authdb.Session {
		return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
			sessionOf(s, userID, time.Hour)(p)
			p.ActiveOrganizationID, p.ActiveTeamID = org, team
		})
	}
	sessions := []authdb.Session{gone.session, session(gone.user.ID, &gone.org.ID, nil), session(gone.coOwner.UserID, &gone.org.ID, new("x"))}
	session(gone.user.ID, nil, nil)
	session(gone.user.ID, &other.org.ID, nil)
	s.now = s.now.Add(time.Minute)
	for i := range sessions {
		sessions[i].ActiveOrganizationID, sessions[i].ActiveTeamID, sessions[i].UpdatedAt = nil, nil, s.now
	}
	deleted := must[authdb.DeletedOrganization](t)(s.Organizations.Delete(ctx, gone.org.ID))
	returns(t, sessions)(sorted(deleted.Sessions, nil))
	for _, session := range sessions {
		returns(t, session)(s.Sessions.Get(ctx, session.UserID, session.ID))
	}
	exec(t, s.Store, `DELETE FROM session WHERE user_id = $1`, other.user.ID)
	returns(t, authdb.DeletedOrganization{Sessions: []authdb.Session{}})(s.Organizations.Delete(ctx, other.org.ID))
}

func testOrganizationListByUser(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Member(t, s.Store) // another's
	byMember := map[string]authdb.OrganizationOfUser{}
	members := rowsOf(func() authdb.Member {
		org := authdbtest.Organization(t, s.Store)
		member := authdbtest.Member(t, s.Store, memberOf(org.ID, user.ID))
		row := authdb.OrganizationOfUser{Organization: org, Member: member, MemberCount: 2}
		if len(byMember)%3 == 0 {
			authdbtest.Member(t, s.Store, memberOf(org.ID, ""))
			row.MemberCount++
		}
		byMember[member.ID] = row
		return member
	})
	want := []authdb.OrganizationOfUser{}
	for _, member := range spread(t, s, "member", members) {
		row := byMember[member.ID]
		row.Member = member
		want = append(want, row)
	}
	for _, limit := range []int{1, 7, 54, 55, 0} {
		p := authdb.ListOrganizationsByUserParams{UserID: user.ID, Limit: limit}
		returns(t, want)(collect(s.Organizations.AllByUser(t.Context(), p), 100))
		page := must[authdb.Page[authdb.OrganizationOfUser]](t)(s.Organizations.ListByUser(t.Context(), p))
		if limit == 0 {
			limit = 50
		}
		returns(t, want[:min(limit, 54)])(page.Items, nil)
		if page.Next.IsZero() != (limit >= 54) {
			t.Errorf("a page of %d: Next.IsZero() = %v", limit, page.Next.IsZero())
		}
	}
}

func testOrganizationList(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM organization`)
	orgs := rowsOf(func() authdb.Organization { return authdbtest.Organization(t, s.Store) })
	returns(t, int64(54))(s.Organizations.Count(t.Context(), authdb.ListOrganizationsParams{}))
	checkList(t, s, "Organizations.List", "organization", orgs, func(after authdb.Cursor, limit int) authdb.ListOrganizationsParams {
		return authdb.ListOrganizationsParams{After: after, Limit: limit}
	}, s.Organizations.List, s.Organizations.All)
}
