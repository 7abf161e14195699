package relations_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// selections are every choice of rows and filters, and whether it asks for any rows.
func selections[With any](each func(with With, asks bool)) {
	var choose func(i int, with With, asks bool)
	choose = func(i int, with With, asks bool) {
		fields := reflect.ValueOf(&with).Elem()
		if i == fields.NumField() {
			each(with, asks)
			return
		}
		switch at := fields.Field(i).Addr().Interface().(type) {
		case *authdb.Rows:
			for n, rows := range []authdb.Rows{{}, authdb.All(), authdb.Newest(2)} {
				*at = rows
				choose(i+1, with, asks || n > 0)
			}
		case *bool:
			for _, *at = range []bool{false, true} {
				choose(i+1, with, asks)
			}
		}
	}
	var none With
	choose(0, none, false)
}

// load is a method with one selection. It takes the first n of a thousand rows.
type load struct {
	name  string
	sizes []int
	want  int64 // round trips
	run   func(n int) error
}

// loads are all methods with all selections.
func loads(ctx context.Context, s *authdb.Store) (all []load) {
	users := thousand(func(id string) authdb.User { return authdb.User{ID: id} })
	selections(func(with authdb.UserWith, asks bool) {
		all = append(all, loadsOf(ctx, users, asks, s.Users.GetFull, s.Users.Load, with)...)
	})
	orgs := thousand(func(id string) authdb.Organization { return authdb.Organization{ID: id} })
	selections(func(with authdb.OrganizationWith, asks bool) {
		all = append(all, loadsOf(ctx, orgs, asks, s.Organizations.GetFull, s.Organizations.Load, with)...)
	})
	teams := thousand(func(id string) authdb.Team { return authdb.Team{ID: id, OrganizationID: id} })
	selections(func(with authdb.TeamWith, asks bool) {
		all = append(all, loadsOf(ctx, teams, asks,
			func(ctx context.Context, id string, with authdb.TeamWith) (authdb.TeamWithRelations, error) {
				return s.Teams.GetFull(ctx, id, id, with)
			}, s.Teams.Load, with)...)
	})
	return all
}

func thousand[T any](row func(id string) T) (rows []T) {
	for i := range 1_000 {
		rows = append(rows, row(fmt.Sprint(i+1)))
	}
	return rows
}

// loadsOf are GetFull and Load of a repository with one selection, which asks for rows or does not.
func loadsOf[P, W, L any](
	ctx context.Context, rows []P, asks bool, one func(context.Context, string, W) (L, error),
	many func(context.Context, []P, W) ([]L, error), with W,
) []load {
	var want int64
	if asks {
		want = 1
	}
	return []load{
		{fmt.Sprintf("GetFull %+v", with), []int{1}, 1, func(int) error {
			_, err := one(ctx, "1", with)
			return err
		}},
		{fmt.Sprintf("Load %+v", with), []int{0, 1, 2, 100, 1000}, want, func(n int) error {
			loaded, err := many(ctx, rows[:n], with)
			if err == nil && len(loaded) != n {
				return fmt.Errorf("%d loaded of %d", len(loaded), n)
			}
			return err
		}},
	}
}

// thousandParents have related rows up to the third: the trips depend on the parents, the time on the rows.
const thousandParents = `
	INSERT INTO "user" SELECT n, 'x', n || '@x', true, NULL, now(), now() FROM generate_series(1, 1000) n;
	INSERT INTO organization SELECT n, 'x', n, NULL, now() FROM generate_series(1, 1000) n;
	INSERT INTO team SELECT n, 'x', n, now() FROM generate_series(1, 1000) n;
	INSERT INTO member SELECT n, n, n, 'member', now() FROM generate_series(1, 3) n;
	INSERT INTO team_member SELECT n, n, n, now() FROM generate_series(1, 3) n;
	INSERT INTO invitation SELECT n, n, 'x', NULL, NULL, 'pending', 'tomorrow', now(), n FROM generate_series(1, 3) n;
	INSERT INTO session SELECT n, 'tomorrow', n, now(), now(), NULL, NULL, n FROM generate_series(1, 3) n;
	INSERT INTO account SELECT n, n, 'x', n, NULL, NULL, NULL, NULL, NULL, NULL, NULL, now(), now() FROM generate_series(1, 3) n;
	ANALYZE`

// TestEachLoadIsOneRoundTrip counts at the wire, for each selection of each method and up to a thousand parents; in the
// exec modes that are not the default, for a sample with two parents.
func TestEachLoadIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	dsn := authdbtest.DSN(t)
	store, _ := kit.CountingStore(t, dsn, pgx.QueryExecModeCacheStatement)
	kit.Exec(t, store, thousandParents)
	for _, mode := range kit.ExecModes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			store, trips := kit.CountingStore(t, dsn, mode)
			all, perLoad := loads(t.Context(), store), int64(1)
			if mode == pgx.QueryExecModeDescribeExec {
				perLoad = 2 // by its nature
			}
			if mode != pgx.QueryExecModeCacheStatement {
				var sample []load
				for i := 0; i < len(all); i += 7 {
					all[i].sizes = all[i].sizes[len(all[i].sizes)/2:][:1] // the middle one
					sample = append(sample, all[i])
				}
				all = sample
			}
			for _, load := range all { // prepares the statements
				if err := load.run(1); err != nil {
					t.Fatalf("%s: %v", load.name, err)
				}
			}
			for _, load := range all {
				for _, n := range load.sizes {
					want := load.want * perLoad * int64(min(n, 1))
					before := trips.Load()
					err := load.run(n)
					if got := trips.Load() - before; got != want || err != nil {
						t.Errorf("%s of %d: %d round trips, want %d; %v", load.name, n, got, want, err)
					}
				}
			}
		})
	}
}

// TestRoundTripsElsewhere: a load on the caller's transaction adds none for a snapshot of its own. And the count
// is no constant: three lists one after the other take three.
func TestRoundTripsElsewhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, trips := kit.CountingStore(t, authdbtest.DSN(t), pgx.QueryExecModeCacheStatement)
	user := authdbtest.User(t, store)
	lists := func(s *authdb.Store) error {
		_, err1 := s.Sessions.List(ctx, authdb.ListSessionsParams{UserID: user.ID})
		_, err2 := s.Accounts.List(ctx, authdb.ListAccountsParams{UserID: user.ID})
		_, err3 := s.Members.ListByUser(ctx, authdb.ListMembersByUserParams{UserID: user.ID})
		return errors.Join(err1, err2, err3)
	}
	load := func(s *authdb.Store) error {
		_, err := s.Users.GetFull(ctx, user.ID, allOfUser)
		return err
	}
	count := func(what string, s *authdb.Store, run func(s *authdb.Store) error, want int64) {
		t.Helper()
		before := trips.Load()
		if err := run(s); err != nil {
			t.Fatal(err)
		}
		if got := trips.Load() - before; got != want {
			t.Errorf("%s: %d round trips, want %d", what, got, want)
		}
	}
	if err := errors.Join(lists(store), load(store)); err != nil { // prepares their statements
		t.Fatal(err)
	}
	count("lists", store, lists, 3)
	count("load", store, load, 1)
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		count("load in a transaction", tx, load, 1)
		return tx.InTx(ctx, func(inner *authdb.Store) error {
			count("load in a nested transaction", inner, load, 1)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	count("a transaction around a load", store, func(s *authdb.Store) error { return s.InTx(ctx, load) }, 3)
}
