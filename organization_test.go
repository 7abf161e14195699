package authdb_test

import (
	"errors"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestOrganizations(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testOrganizationCreate},
		{"CreateConflict", testOrganizationConflict},
		{"CreateReference", testOrganizationReference},
		{"Get", testOrganizationGet},
		{"NotFound", testOrganizationNotFound},
		{"Update", testOrganizationUpdate},
		{"DeleteCascade", testOrganizationDelete},
		{"List", testOrganizationList},
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

func testOrganizationConflict(t *testing.T, s *fixture) {
	org, other := authdbtest.Organization(t, s.Store), authdbtest.Organization(t, s.Store)
	owner := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	_, err := s.Organizations.Create(t.Context(), authdb.CreateOrganizationParams{Slug: org.Slug, OwnerID: owner.ID})
	fails(t, err, authdb.ErrSlugTaken, "Organizations.Create", "slug")
	if !errors.Is(err, authdb.ErrConflict) {
		t.Errorf("%v is no ErrConflict", err)
	}
	_, err = s.Organizations.Update(t.Context(), other.ID, authdb.UpdateOrganizationParams{Slug: &org.Slug})
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
		"Organizations.Delete":    s.Organizations.Delete(ctx, "none"),
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
			{"name", params{Name: new("New")}, func(o *authdb.Organization) { o.Name = "New" }},
			{"slug", params{Slug: new("new-slug")}, func(o *authdb.Organization) { o.Slug = "new-slug" }},
			{"own slug", params{Slug: new("new-slug")}, func(*authdb.Organization) {}},
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
	s.deletes(t, want, "Organizations.Delete", func() error { return s.Organizations.Delete(t.Context(), gone.org.ID) })
}

func testOrganizationList(t *testing.T, s *fixture) {
	exec(t, s.Store, `DELETE FROM organization`)
	orgs := rowsOf(func() authdb.Organization { return authdbtest.Organization(t, s.Store) })
	returns(t, int64(54))(s.Organizations.Count(t.Context()))
	checkList(t, s, "Organizations.List", "organization", orgs, func(after authdb.Cursor, limit int) authdb.ListOrganizationsParams {
		return authdb.ListOrganizationsParams{After: after, Limit: limit}
	}, s.Organizations.List, s.Organizations.All)
}
