package rows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// goTimes are instants as a program in some zone has them; the fold is 01:30 twice on the night that ends summer time.
func goTimes(t *testing.T) map[string]time.Time {
	t.Helper()
	in := func(zone string, at time.Time) time.Time {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.In(loc)
	}
	noon := time.Date(2026, 7, 1, 12, 0, 0, 123_456_789, time.UTC)
	fold := time.Date(2026, 11, 1, 5, 30, 0, 999_999_999, time.UTC)
	return map[string]time.Time{
		"UTC":         noon,
		"Tokyo":       in("Asia/Tokyo", noon),
		"St. Johns":   in("America/St_Johns", noon),
		"Kathmandu":   in("Asia/Kathmandu", noon),
		"first 1:30":  in("America/New_York", fold),
		"second 1:30": in("America/New_York", fold.Add(time.Hour)),
	}
}

// TestNoTimeShifts writes every timestamp column through the repositories and reads it back through them and as text,
// for each zone of the program and of the session, each exec mode, and both origins of the pool.
func TestNoTimeShifts(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	times := goTimes(t)
	cells := 0
	for _, zone := range kit.SessionZones {
		for _, mode := range kit.ExecModes {
			stores := map[string]func(...authdb.Option) *authdb.Store{
				"caller's pool": func(opts ...authdb.Option) *authdb.Store {
					return authdb.New(kit.PoolIn(t, store, zone, mode), opts...)
				},
				"Open": func(opts ...authdb.Option) *authdb.Store {
					dsn := fmt.Sprintf("%s&timezone=%s&default_query_exec_mode=%s", store.Pool().Config().ConnString(), zone, kit.ModeName(mode))
					return kit.Must[*authdb.Store](t)(authdb.Open(t.Context(), dsn, opts...))
				},
			}
			for origin, open := range stores {
				var clock time.Time
				s := open(authdb.WithClock(func() time.Time { return clock }))
				t.Cleanup(s.Close)
				for name, at := range times {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", origin, zone, mode, name), func(t *testing.T) {
						clock = at
						cells += checkTimes(t, s, store.Pool(), at)
					})
				}
			}
		}
	}
	t.Logf("%d cells", cells)
	if cells != 2*len(kit.SessionZones)*len(kit.ExecModes)*len(times)*19 {
		t.Errorf("%d cells are not all", cells)
	}
}

// checkTimes stamps a row in each table at the clock's time and returns how many columns it looked at.
func checkTimes(t *testing.T, s *authdb.Store, plain *pgxpool.Pool, at time.Time) (cells int) {
	t.Helper()
	ctx := t.Context()
	now := at.UTC().Truncate(time.Millisecond)
	later := now.Add(36 * time.Hour)
	given := at.Add(36 * time.Hour) // in the program's zone, with nanoseconds

	cell := func(table, column, id string, want, got time.Time) {
		t.Helper()
		cells++
		if !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s.%s: repository says %v, want %v", table, column, got, want)
		}
		var text string
		if err := plain.QueryRow(ctx, fmt.Sprintf(`SELECT to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US') FROM %q WHERE id = $1`,
			column, table), id).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if want := want.Format("2006-01-02 15:04:05.000000"); text != want {
			t.Errorf("%s.%s: the column holds %s, want %s", table, column, text, want)
		}
	}

	user := authdbtest.User(t, s)
	cell("user", "created_at", user.ID, now, user.CreatedAt)
	cell("user", "updated_at", user.ID, now, user.UpdatedAt)

	session := authdbtest.Session(t, s, func(p *authdb.CreateSessionParams) { p.UserID, p.ExpiresAt = user.ID, given })
	cell("session", "expires_at", session.ID, later, session.ExpiresAt)
	cell("session", "created_at", session.ID, now, session.CreatedAt)
	cell("session", "updated_at", session.ID, now, session.UpdatedAt)

	account := authdbtest.Account(t, s, func(p *authdb.CreateAccountParams) {
		p.UserID, p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = user.ID, &given, &given
	})
	cell("account", "access_token_expires_at", account.ID, later, *account.AccessTokenExpiresAt)
	cell("account", "refresh_token_expires_at", account.ID, later, *account.RefreshTokenExpiresAt)
	cell("account", "created_at", account.ID, now, account.CreatedAt)
	cell("account", "updated_at", account.ID, now, account.UpdatedAt)

	v := authdbtest.Verification(t, s, func(p *authdb.CreateVerificationParams) { p.ExpiresAt = given })
	cell("verification", "expires_at", v.ID, later, v.ExpiresAt)
	cell("verification", "created_at", v.ID, now, v.CreatedAt)
	cell("verification", "updated_at", v.ID, now, v.UpdatedAt)

	org := authdbtest.Organization(t, s, func(p *authdb.CreateOrganizationParams) { p.OwnerID = user.ID })
	cell("organization", "created_at", org.ID, now, org.CreatedAt)
	owner := kit.Must[authdb.Member](t)(s.Members.GetByUser(ctx, org.ID, user.ID))
	cell("member", "created_at", owner.ID, now, owner.CreatedAt)

	team := authdbtest.Team(t, s, func(p *authdb.CreateTeamParams) { p.OrganizationID = org.ID })
	cell("team", "created_at", team.ID, now, team.CreatedAt)
	cell("team", "updated_at", team.ID, now, *team.UpdatedAt)
	tm := authdbtest.TeamMember(t, s, func(p *authdb.CreateTeamMemberParams) {
		p.OrganizationID, p.TeamID, p.UserID = org.ID, team.ID, user.ID
	})
	cell("team_member", "created_at", tm.ID, now, *tm.CreatedAt)

	inv := authdbtest.Invitation(t, s, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID, p.ExpiresAt = org.ID, user.ID, given
	})
	cell("invitation", "expires_at", inv.ID, later, inv.ExpiresAt)
	cell("invitation", "created_at", inv.ID, now, inv.CreatedAt)

	checkExpiry(t, s, user.ID, at)
	// An array has its own way to the wire.
	many := kit.Must[[]authdb.Session](t)(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: user.ID, ExpiresAt: given}}))
	if diff := cmp.Diff(many[0], kit.Must[authdb.Session](t)(s.Sessions.Get(ctx, user.ID, many[0].ID))); diff != "" {
		t.Errorf("CreateMany (-returned +stored):\n%s", diff)
	}
	return cells
}

// checkExpiry finds what is live to the millisecond, in any zone.
func checkExpiry(t *testing.T, s *authdb.Store, userID string, now time.Time) {
	t.Helper()
	ctx := t.Context()
	live := func() int64 {
		return kit.Must[int64](t)(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: userID, Live: true}))
	}
	before := live()
	for offset, want := range map[time.Duration]int64{-time.Hour: 0, -time.Millisecond: 0, 0: 0, time.Millisecond: 1} {
		session := authdbtest.Session(t, s, func(p *authdb.CreateSessionParams) {
			p.UserID, p.ExpiresAt = userID, now.Add(offset)
		})
		if got := live() - before; got != want {
			t.Errorf("a session that ends %v from now: %d are live, want %d", offset, got, want)
		}
		if err := s.Sessions.DeleteByToken(ctx, session.Token); err != nil {
			t.Fatal(err)
		}
	}
}
