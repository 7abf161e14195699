package authdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// rowsOf makes rows for a list: more than the default page, and an even number, so that the last of pages of 2 is full.
func rowsOf[T any](row func() T) (rows []T) {
	for range 54 {
		rows = append(rows, row())
	}
	return rows
}

// checkList pages in every way that a caller can through a list that must consist of rows. It sets their created_at.
func checkList[P, T any](
	t *testing.T, s *fixture, op, table string, rows []T, params func(after authdb.Cursor, limit int) P,
	list func(context.Context, P) (authdb.Page[T], error), all func(context.Context, P) iter.Seq2[T, error],
) {
	t.Helper()
	ctx, n := t.Context(), len(rows)
	rows = spread(t, s, table, rows)
	page := func(after authdb.Cursor, limit int) authdb.Page[T] {
		t.Helper()
		return must[authdb.Page[T]](t)(list(ctx, params(after, limit)))
	}
	for limit, size := range map[int]int{1: 1, 2: 2, n: n, n + 1: n + 1, 0: 50} {
		t.Run(fmt.Sprintf("pages of %d", limit), func(t *testing.T) {
			var got []T
			for after := (authdb.Cursor{}); len(got) < n; {
				p, want := page(after, limit), rows[len(got):min(len(got)+size, n)]
				if diff := cmp.Diff(want, p.Items); diff != "" {
					t.Fatalf("page behind row %d (-want +got):\n%s", len(got), diff)
				}
				got = append(got, p.Items...)
				if p.Next.IsZero() != (len(got) == n) {
					t.Fatalf("a page ends at row %d of %d: Next.IsZero() = %v", len(got), n, p.Next.IsZero())
				}
				after = viaJSON(t, p.Next)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		returns(t, rows)(collect(all(ctx, params(authdb.Cursor{}, 7)), n+1))
		returns(t, rows[4:])(collect(all(ctx, params(page(authdb.Cursor{}, 4).Next, 5)), n+1))
	})
	t.Run("all until break", func(t *testing.T) {
		returns(t, rows[:3])(collect(all(ctx, params(authdb.Cursor{}, 2)), 3))
	})
	t.Run("all until error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var got, none []T
		var errs []error
		for item, err := range all(ctx, params(authdb.Cursor{}, 2)) {
			if err != nil {
				if none, errs = append(none, item), append(errs, err); len(errs) == 2 {
					break
				}
				continue
			}
			if got = append(got, item); len(got) == 2 {
				cancel()
			}
		}
		returns(t, rows[:2])(got, nil)
		returns(t, make([]T, 1))(none, nil)
		if e, ok := errors.AsType[*authdb.Error](errors.Join(errs...)); !ok || !errors.Is(e, context.Canceled) || e.Op != op {
			t.Errorf("got %v, want one context.Canceled of %s", errs, op)
		}
	})
	t.Run("rows come and go between pages", func(t *testing.T) {
		spare := "spare " + table
		exec(t, s.Store, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %q (LIKE %q)`, spare, table))
		move := func(from, to string, row T) {
			exec(t, s.Store, fmt.Sprintf(`WITH moved AS (DELETE FROM %q WHERE id = $1 RETURNING *)
				INSERT INTO %q SELECT * FROM moved`, from, to), rowID(row))
		}
		move(table, spare, rows[1])
		move(table, spare, rows[8])
		first := page(authdb.Cursor{}, 5)
		returns(t, append(rows[:1:1], rows[2:6]...))(first.Items, nil)
		move(spare, table, rows[1])
		move(spare, table, rows[8])
		move(table, spare, rows[5]) // where the cursor is
		move(table, spare, rows[6])
		returns(t, rows[7:])(collect(all(ctx, params(first.Next, 3)), n))
	})
}

// spread sets created_at of rows, whose ids ascend, by plain SQL: to few times for many rows, with microseconds, which
// authdb does not write, and to NULL here and there where the row may have it. It returns them in the order of a list.
func spread[T any](t *testing.T, s *fixture, table string, rows []T) []T {
	t.Helper()
	micro := time.Microsecond
	offsets := []time.Duration{3 * micro, time.Second, 0, 4 * micro, 1000 * micro, 2 * micro}
	created := map[string]time.Time{}
	for i := range rows {
		at := s.now.Add(offsets[i%len(offsets)])
		setTime(&rows[i], "CreatedAt", at)
		column := new(at)
		if field := reflect.ValueOf(&rows[i]).Elem().FieldByName("CreatedAt"); field.Kind() == reflect.Pointer && i%5 == 4 {
			field.SetZero()
			column, at = nil, time.Time{}
		}
		exec(t, s.Store, fmt.Sprintf(`UPDATE %q SET created_at = $1 WHERE id = $2`, table), column, rowID(rows[i]))
		created[rowID(rows[i])] = at
	}
	return slices.SortedStableFunc(slices.Values(rows), func(a, b T) int {
		return created[rowID(a)].Compare(created[rowID(b)])
	})
}

func rowID(row any) string { return reflect.ValueOf(row).FieldByName("ID").String() }

// collect takes up to limit items.
func collect[T any](seq iter.Seq2[T, error], limit int) (items []T, err error) {
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		if items = append(items, item); len(items) == limit {
			break
		}
	}
	return items, nil
}

func viaJSON(t *testing.T, c authdb.Cursor) (decoded authdb.Cursor) {
	t.Helper()
	if err := json.Unmarshal(must[[]byte](t)(json.Marshal(c)), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}
