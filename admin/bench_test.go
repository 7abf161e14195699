package admin_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

// BenchmarkAuthenticate is what the plugins add: the medians of calls in turn, so that a busy machine is busy for all of
// them, and their ratios.
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
	kinds := []struct {
		name    string
		plugins authdb.Plugins
	}{
		{"without", authdb.Plugins{}},
		{"admin", authdb.Plugins{Admin: true, RefuseBanned: true}},
		{"admin+roles", authdb.Plugins{Admin: true, RefuseBanned: true, DynamicRoles: true}},
	}
	stores, spent := make([]*authdb.Store, len(kinds)), make([][]time.Duration, len(kinds))
	for i, k := range kinds {
		stores[i] = authdb.New(store.Pool(), authdb.WithPlugins(k.plugins))
	}
	for b.Loop() {
		for i, s := range stores {
			begin := time.Now()
			if _, err := s.Sessions.Authenticate(ctx, session.Token); err != nil {
				b.Fatal(err)
			}
			spent[i] = append(spent[i], time.Since(begin))
		}
	}
	var without float64
	for i, k := range kinds {
		slices.Sort(spent[i])
		median := float64(spent[i][len(spent[i])/2])
		if i == 0 {
			without = median
		}
		b.ReportMetric(median, k.name+"-ns")
		b.ReportMetric(median/without, k.name+"-ratio")
	}
}
