package authdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestOrganizations(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
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

func testOrganizationCreate(t *testing.T, s *kit.Fixture) {
	owner := authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for _, org := range []authdb.Organization{
		{Name: "Least", Slug: "least"},
		{Name: "Full", Slug: "full", Logo: new("https://example.com/logo"), Metadata: new(`{"plan":"pro"}`)},
	} {
		org.ID, org.CreatedAt = s.Id(1), s.Now
		member := authdb.Member{ID: s.Id(2), OrganizationID: org.ID, UserID: owner.ID, Role: "owner", CreatedAt: s.Now}
		kit.Returns(t, org)(s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{
			Name: org.Name, Slug: org.Slug, Logo: org.Logo, Metadata: org.Metadata, OwnerID: owner.ID,
		}))
		want["organization"][org.ID], want["member"][member.ID] = kit.AsRow(org), kit.AsRow(member)
	}
	s.Holds(t, want)
}

func testOrganizationDefaultTeam(t *testing.T, s *kit.Fixture) {
	owner := authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	org := authdb.Organization{ID: s.Id(1), Name: "Ärger & Co", Slug: "default-team", CreatedAt: s.Now}
	member := authdb.Member{ID: s.Id(2), OrganizationID: org.ID, UserID: owner.ID, Role: "owner", CreatedAt: s.Now}
	team := authdb.Team{ID: s.Id(3), Name: org.Name, OrganizationID: org.ID, CreatedAt: s.Now, UpdatedAt: &s.Now, MemberCount: 1}
	seat := authdb.TeamMember{
		ID: s.Id(4), TeamID: team.ID, UserID: owner.ID, CreatedAt: &s.Now, MembershipKey: kit.MembershipKey(team.ID, owner.ID),
	}
	p := authdb.CreateOrganizationParams{Name: org.Name, Slug: org.Slug, OwnerID: owner.ID, DefaultTeam: true}
	kit.Returns(t, org)(s.Organizations.Create(t.Context(), p))
	want["organization"][org.ID], want["member"][member.ID] = kit.AsRow(org), kit.AsRow(member)
	want["team"][team.ID], want["team_member"][seat.ID] = kit.AsRow(team), kit.AsRow(seat)
	s.Holds(t, want)
	kit.Fails(t, kit.ErrOf(s.Organizations.Create(t.Context(), p)), authdb.ErrSlugTaken, "Organizations.Create", "slug")
	p.Slug, p.OwnerID = "ownerless-team", "none"
	kit.Fails(t, kit.ErrOf(s.Organizations.Create(t.Context(), p)), authdb.ErrReference, "Organizations.Create", "user_id")
	s.Holds(t, want)
}

func testOrganizationConflict(t *testing.T, s *kit.Fixture) {
	org, other := authdbtest.Organization(t, s.Store), authdbtest.Organization(t, s.Store)
	owner := authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	_, err := s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{Slug: org.Slug, OwnerID: owner.ID})
	kit.Fails(t, err, authdb.ErrSlugTaken, "Organizations.Create", "slug")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	_, err = s.Organizations.Update(t.Context(), other.ID, authdb.UpdateOrganizationParams{Slug: authdb.Set(org.Slug)})
	kit.Fails(t, err, authdb.ErrSlugTaken, "Organizations.Update", "slug")
	s.Holds(t, want)
}

func testOrganizationReference(t *testing.T, s *kit.Fixture) {
	want := kit.ReadTables(t, s.Store)
	_, err := s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{Slug: "ownerless", OwnerID: "none"})
	kit.Fails(t, err, authdb.ErrReference, "Organizations.Create", "user_id")
	s.Holds(t, want)
}

func testOrganizationGet(t *testing.T, s *kit.Fixture) {
	for _, slug := range []string{"acme", "Acme"} {
		org := authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.Slug = slug })
		kit.Returns(t, org)(s.Organizations.Get(t.Context(), org.ID))
		kit.Returns(t, org)(s.Organizations.GetBySlug(t.Context(), slug))
	}
}

func testOrganizationNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.Slug = "Upper" })
	want := kit.ReadTables(t, s.Store)
	kit.NotFound(t, map[string]error{
		"Organizations.Get":       kit.ErrOf(s.Organizations.Get(ctx, "none")),
		"Organizations.GetBySlug": kit.ErrOf(s.Organizations.GetBySlug(ctx, "upper")),
		"Organizations.Update":    kit.ErrOf(s.Organizations.Update(ctx, "none", authdb.UpdateOrganizationParams{})),
		"Organizations.Delete":    kit.ErrOf(s.Organizations.Delete(ctx, "none")),
	})
	s.Holds(t, want)
}

func testOrganizationUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateOrganizationParams
	authdbtest.Organization(t, s.Store)
	org := authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) {
		p.Logo, p.Metadata = new("https://example.com/1"), new("{}")
	})
	kit.CheckUpdates(t, s, "organization", org,
		func(p params) (authdb.Organization, error) { return s.Organizations.Update(t.Context(), org.ID, p) },
		kit.Steps[params, authdb.Organization]{
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

func testOrganizationDelete(t *testing.T, s *kit.Fixture) {
	gone, _ := kit.NewTenant(t, s), kit.NewTenant(t, s)
	want := kit.ReadTables(t, s.Store)
	for table, id := range map[string]string{
		"organization": gone.Org.ID, "member": gone.Member.ID, "team": gone.Team.ID, "team_member": gone.TeamMember.ID,
		"invitation": gone.Invitation.ID,
	} {
		delete(want[table], id)
	}
	delete(want["member"], gone.CoOwner.ID)
	session := gone.Session
	session.ActiveOrganizationID, session.ActiveTeamID, session.UpdatedAt = nil, nil, s.Now
	want["session"][session.ID] = kit.AsRow(session)
	s.Deletes(t, want, "Organizations.Delete", func() error { return kit.ErrOf(s.Organizations.Delete(t.Context(), gone.Org.ID)) })
}

func testOrganizationDeleteSessions(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	gone, other := kit.NewTenant(t, s), kit.NewTenant(t, s)
	session := func(userID string, org, team *string) authdb.Session {
		return authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
			kit.SessionOf(s, userID, time.Hour)(p)
			p.ActiveOrganizationID, p.ActiveTeamID = org, team
		})
	}
	sessions := []authdb.Session{gone.Session, session(gone.User.ID, &gone.Org.ID, nil), session(gone.CoOwner.UserID, &gone.Org.ID, new("x"))}
	session(gone.User.ID, nil, nil)
	session(gone.User.ID, &other.Org.ID, nil)
	s.Now = s.Now.Add(time.Minute)
	for i := range sessions {
		sessions[i].ActiveOrganizationID, sessions[i].ActiveTeamID, sessions[i].UpdatedAt = nil, nil, s.Now
	}
	deleted := kit.Must[authdb.DeletedOrganization](t)(s.Organizations.Delete(ctx, gone.Org.ID))
	kit.Returns(t, sessions)(kit.Sorted(deleted.Sessions, nil))
	for _, session := range sessions {
		kit.Returns(t, session)(s.Sessions.Get(ctx, session.UserID, session.ID))
	}
	kit.Exec(t, s.Store, `DELETE FROM session WHERE user_id = $1`, other.User.ID)
	kit.Returns(t, authdb.DeletedOrganization{Sessions: []authdb.Session{}})(s.Organizations.Delete(ctx, other.Org.ID))
}

func testOrganizationListByUser(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Member(t, s.Store) // another's
	byMember := map[string]authdb.OrganizationOfUser{}
	members := rowsOf(func() authdb.Member {
		org := authdbtest.Organization(t, s.Store)
		member := authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, user.ID))
		row := authdb.OrganizationOfUser{Organization: org, Member: member, MemberCount: 2}
		if len(byMember)%3 == 0 {
			authdbtest.Member(t, s.Store, kit.MemberOf(org.ID, ""))
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
		kit.Returns(t, want)(kit.Collect(s.Organizations.AllByUser(t.Context(), p), 100))
		page := kit.Must[authdb.Page[authdb.OrganizationOfUser]](t)(s.Organizations.ListByUser(t.Context(), p))
		if limit == 0 {
			limit = 50
		}
		kit.Returns(t, want[:min(limit, 54)])(page.Items, nil)
		if page.Next.IsZero() != (limit >= 54) {
			t.Errorf("a page of %d: Next.IsZero() = %v", limit, page.Next.IsZero())
		}
	}
}

func testOrganizationList(t *testing.T, s *kit.Fixture) {
	kit.Exec(t, s.Store, `DELETE FROM organization`)
	orgs := rowsOf(func() authdb.Organization { return authdbtest.Organization(t, s.Store) })
	kit.Returns(t, int64(54))(s.Organizations.Count(t.Context(), authdb.ListOrganizationsParams{}))
	checkList(t, s, "Organizations.List", "organization", orgs, func(after authdb.Cursor, limit int) authdb.ListOrganizationsParams {
		return authdb.ListOrganizationsParams{After: after, Limit: limit}
	}, s.Organizations.List, s.Organizations.All)
}
