package rows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// Times that PostgreSQL has and Go has not, or that JSON or a cursor have no text for: such a row is read and listed
// like any other, in every mode, in its place, and decided on as the server does.
func TestInfinity(t *testing.T) {
	instants := []string{
		"-infinity", "4713-11-24 00:00:00 BC", "0044-03-15 12:00:00 BC", "2026-01-01 00:00:00", "9999-12-31 23:59:59.999999",
		"10000-01-01 00:00:00", "294276-12-31 23:59:59.999999", "infinity", "infinity", "-infinity",
	}
	order := []int{0, 9, 1, 2, 3, 4, 5, 6, 7, 8}
	for _, mode := range kit.ExecModes {
		t.Run(mode.String(), func(t *testing.T) {
			ctx := t.Context()
			db := authdbtest.New(t)
			cfg := db.Pool().Config()
			cfg.ConnConfig.DefaultQueryExecMode = mode
			pool := kit.Must[*pgxpool.Pool](t)(pgxpool.NewWithConfig(ctx, cfg))
			t.Cleanup(pool.Close)
			s := authdb.New(pool)

			var ids []string
			for i, instant := range instants {
				user := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{
					ID: fmt.Sprintf("id%02d", i), Name: "x", Email: fmt.Sprintf("u%d@example.com", i),
				}))
				kit.Exec(t, db, `UPDATE "user" SET created_at = $1::text::timestamp, updated_at = $1::text::timestamp WHERE id = $2`, instant, user.ID)
			}
			for _, i := range order {
				ids = append(ids, fmt.Sprintf("id%02d", i))
			}
			noBC := mode == pgx.QueryExecModeSimpleProtocol // which pgx has no text for where they are before Christ
			for _, limit := range []int{1, 3, 100} {
				if noBC && limit < 100 {
					continue
				}
				for _, newest := range []bool{false, true} {
					want := slices.Clone(ids)
					if newest {
						slices.Reverse(want)
					}
					var got []string
					p := authdb.ListUsersParams{Limit: limit, Newest: newest}
					for range instants {
						page := kit.Must[authdb.Page[authdb.User]](t)(s.Users.List(ctx, p))
						for _, user := range page.Items {
							got = append(got, user.ID)
						}
						if p.After = page.Next; p.After.IsZero() {
							break
						}
						p.After = kit.Must[authdb.Cursor](t)(authdb.ParseCursor(p.After.String()))
					}
					if !slices.Equal(got, want) {
						t.Errorf("by %d, newest %t: got %v, want %v", limit, newest, got, want)
					}
				}
			}
		})
	}
}

// A session is live as long as the server takes it for live, and what was done is answered.
func TestInfinityIsAnswered(t *testing.T) {
	ctx := t.Context()
	s := authdbtest.New(t)
	user := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Name: "x", Email: "a@example.com"}))
	kit.Exec(t, s, `UPDATE "user" SET updated_at = 'infinity'`)
	session := func(expires string) authdb.Session {
		made := kit.Must[authdb.Session](t)(s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user.ID}))
		kit.Exec(t, s, `UPDATE session SET expires_at = $1::text::timestamp, updated_at = '-infinity' WHERE id = $2`, expires, made.ID)
		return made
	}
	live, over := session("infinity"), session("-infinity")
	if got := kit.Must[authdb.Authentication](t)(s.Sessions.Authenticate(ctx, live.Token)); !got.Session.ExpiresAt.After(time.Now()) {
		t.Errorf("expires at %v", got.Session.ExpiresAt)
	}
	kit.Fails(t, kit.ErrOf(s.Sessions.Authenticate(ctx, over.Token)), authdb.ErrNotFound, "Sessions.Authenticate", "")
	if rows := kit.Must[[]authdb.Session](t)(s.Sessions.DeleteByUser(ctx, user.ID)); len(rows) != 2 {
		t.Errorf("deleted %v", rows)
	}
	for _, instant := range []string{"infinity", "-infinity", "0001-12-31 23:00:00 BC", "10000-01-01"} {
		v := authdb.CreateVerificationParams{Identifier: "i", Value: "v", ExpiresAt: time.Now().Add(time.Hour)}
		kit.Must[authdb.Verification](t)(s.Verifications.Create(ctx, v))
		kit.Exec(t, s, `UPDATE verification SET created_at = $1::text::timestamp, updated_at = $1::text::timestamp`, instant)
		if got, err := s.Verifications.Consume(ctx, v.Identifier); err != nil || got.Value != v.Value {
			t.Errorf("%s: %v", instant, err)
		}
	}
}
