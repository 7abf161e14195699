package admin_test

import (
	"context"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

// BenchmarkAuthenticate is what the plugins add: turns of each, so that a busy machine is busy for all of them.
func BenchmarkAuthenticate(b *testing.B) {
	store := authdbtest.WithSchema(plugins.Admin, plugins.Tables).New(b)
	ctx := context.Background()
	org := authdbtest.Organization(b, store)
	members, err := store.Members.List(ctx, authdb.ListMembersParams{OrganizationID: org.ID})
	if err != nil {
		b.Fatal(err)
	}
	session, err := store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: members.Items[0].UserID, ActiveOrganizationID: &org.ID})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := store.Pool().Exec(ctx, `INSERT INTO organization_role (id, organization_id, role, permission)
		SELECT n::text, $1, 'role ' || n, '{"project":["create","read"]}' FROM generate_series(1, 3) n`, org.ID); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		plugins authdb.Plugins
	}{
		{"without", authdb.Plugins{}},
		{"admin", authdb.Plugins{Admin: true, RefuseBanned: true}},
		{"admin+roles", authdb.Plugins{Admin: true, RefuseBanned: true, DynamicRoles: true}},
	} {
		s := authdb.New(store.Pool(), authdb.WithPlugins(c.plugins))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sessions.Authenticate(ctx, session.Token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
