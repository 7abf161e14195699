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
	"github.com/zerostarter/authdb/internal/kit"
)

// rowsOf makes rows for a list: more than the default page, and an even number, so that the last of pages of 2 is full.
func rowsOf[T any](row func() T) (rows []T) {
	for range 54 {
		rows = append(rows, row())
	}
	return rows
}

// checkList pages in every way that a caller can through a list that must consist of rows, in both orders. It sets their
// created_at, and takes some away from table for a while: not for rows that the list finds by those which refer to them.
func checkList[P, T any](
	t *testing.T, s *kit.Fixture, op, table string, rows []T, params func(after authdb.Cursor, limit int) P,
	list func(context.Context, P) (authdb.Page[T], error), all func(context.Context, P) iter.Seq2[T, error],
) {
	t.Helper()
	rows = spread(t, s, table, rows)
	t.Run("oldest first", func(t *testing.T) { checkOrder(t, s, op, table, rows, params, list, all) })
	back := slices.Clone(rows)
	slices.Reverse(back)
	newest := func(after authdb.Cursor, limit int) P { return kit.NewestFirst(params(after, limit)) }
	t.Run("newest first", func(t *testing.T) { checkOrder(t, s, op, table, back, newest, list, all) })
	t.Run("the other way round", func(t *testing.T) {
		next := kit.Must[authdb.Page[T]](t)(list(t.Context(), params(authdb.Cursor{}, 5))).Next
		kit.Returns(t, rows[5:])(kit.Collect(all(t.Context(), params(next, 0)), len(rows)))
		kit.Returns(t, back[len(back)-4:])(kit.Collect(all(t.Context(), newest(next, 0)), len(rows)))
	})
}

// checkFilter: a list has those rows in both orders, and Count counts them.
func checkFilter[P, T any](
	t *testing.T, p P, want []T, all func(context.Context, P) iter.Seq2[T, error],
	count func(context.Context, P) (int64, error),
) {
	t.Helper()
	kit.Returns(t, int64(len(want)))(count(t.Context(), p))
	want = append([]T(nil), want...) // nil for none, as of collect
	back := slices.Clone(want)
	slices.Reverse(back)
	for _, limit := range []int64{0, 2} {
		reflect.ValueOf(&p).Elem().FieldByName("Limit").SetInt(limit)
		kit.Returns(t, want)(kit.Collect(all(t.Context(), p), len(want)+1))
		kit.Returns(t, back)(kit.Collect(all(t.Context(), kit.NewestFirst(p)), len(want)+1))
	}
}

func checkOrder[P, T any](
	t *testing.T, s *kit.Fixture, op, table string, rows []T, params func(after authdb.Cursor, limit int) P,
	list func(context.Context, P) (authdb.Page[T], error), all func(context.Context, P) iter.Seq2[T, error],
) {
	t.Helper()
	ctx, n := t.Context(), len(rows)
	page := func(after authdb.Cursor, limit int) authdb.Page[T] {
		t.Helper()
		return kit.Must[authdb.Page[T]](t)(list(ctx, params(after, limit)))
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
		seq := all(ctx, params(authdb.Cursor{}, 7))
		kit.Returns(t, rows)(kit.Collect(seq, n+1))
		kit.Returns(t, rows)(kit.Collect(seq, n+1)) // again: each walk has its own place
		kit.Returns(t, rows[4:])(kit.Collect(all(ctx, params(page(authdb.Cursor{}, 4).Next, 5)), n+1))
	})
	t.Run("all until break", func(t *testing.T) {
		kit.Returns(t, rows[:3])(kit.Collect(all(ctx, params(authdb.Cursor{}, 2)), 3))
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
		kit.Returns(t, rows[:2])(got, nil)
		kit.Returns(t, make([]T, 1))(none, nil)
		if e, ok := errors.AsType[*authdb.Error](errors.Join(errs...)); !ok || !errors.Is(e, context.Canceled) || e.Op != op {
			t.Errorf("got %v, want one context.Canceled of %s", errs, op)
		}
	})
	t.Run("rows come and go between pages", func(t *testing.T) {
		spare := "spare " + table
		kit.Exec(t, s.Store, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %q (LIKE %q)`, spare, table))
		move := func(from, to string, row T) {
			kit.Exec(t, s.Store, fmt.Sprintf(`WITH moved AS (DELETE FROM %q WHERE id = $1 RETURNING *)
				INSERT INTO %q SELECT * FROM moved`, from, to), kit.RowID(row))
		}
		move(table, spare, rows[1])
		move(table, spare, rows[8])
		first := page(authdb.Cursor{}, 5)
		kit.Returns(t, append(rows[:1:1], rows[2:6]...))(first.Items, nil)
		move(spare, table, rows[1])
		move(spare, table, rows[8])
		move(table, spare, rows[5]) // where the cursor is
		move(table, spare, rows[6])
		kit.Returns(t, rows[7:])(kit.Collect(all(ctx, params(first.Next, 3)), n))
		move(spare, table, rows[5])
		move(spare, table, rows[6])
	})
}

// spread sets created_at of rows, whose ids ascend, by plain SQL: to few times for many rows, with microseconds, which
// authdb does not write, and to NULL here and there where the row may have it. It returns them in the order of a list.
func spread[T any](t *testing.T, s *kit.Fixture, table string, rows []T) []T {
	t.Helper()
	micro := time.Microsecond
	offsets := []time.Duration{3 * micro, time.Second, 0, 4 * micro, 1000 * micro, 2 * micro}
	created := map[string]time.Time{}
	for i := range rows {
		at := s.Now.Add(offsets[i%len(offsets)])
		kit.SetTime(&rows[i], "CreatedAt", at)
		column := new(at)
		if field := reflect.ValueOf(&rows[i]).Elem().FieldByName("CreatedAt"); field.Kind() == reflect.Pointer && i%5 == 4 {
			field.SetZero()
			column, at = nil, time.Time{}
		}
		kit.Exec(t, s.Store, fmt.Sprintf(`UPDATE %q SET created_at = $1 WHERE id = $2`, table), column, kit.RowID(rows[i]))
		created[kit.RowID(rows[i])] = at
	}
	return slices.SortedStableFunc(slices.Values(rows), func(a, b T) int {
		return created[kit.RowID(a)].Compare(created[kit.RowID(b)])
	})
}

func viaJSON(t *testing.T, c authdb.Cursor) (decoded authdb.Cursor) {
	t.Helper()
	if err := json.Unmarshal(kit.Must[[]byte](t)(json.Marshal(c)), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}
