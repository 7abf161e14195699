package authdb_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// BenchmarkLoad sets Load beside two floors, a pgx.Batch of the same reads written by hand, without a snapshot and in
// one, at several fan-outs (rows in each relation), on the socket and with a millisecond more in each round trip. All
// run in turn; "x-floor" and "x-snapshot" are the ratios of the median times:
//
//	go test -run '^$' -bench Load -benchtime 300x .
func BenchmarkLoad(b *testing.B) {
	for _, fanOut := range []int{2, 5, 20, 1_000} {
		store := authdbtest.New(b)
		user, org := benchGraph(b, store, fanOut)
		for _, network := range []struct {
			name  string
			delay time.Duration
		}{{"socket", 0}, {"1ms", time.Millisecond}} {
			ours := authdb.New(delayedPool(b, store, network.delay))
			// A connection of its own for each: a shared one would be warmer than ours.
			floors := map[bool]*pgxpool.Pool{
				false: delayedPool(b, store, network.delay), true: delayedPool(b, store, network.delay),
			}
			b.Run(fmt.Sprintf("user/rows=%d/%s", fanOut, network.name), func(b *testing.B) {
				compare(b, func(ctx context.Context) (int, error) {
					full, err := ours.Users.GetFull(ctx, user.ID, authdb.UserWith{
						Sessions: authdb.All(), Accounts: authdb.All(), Members: authdb.All(), TeamMembers: authdb.All(),
						Invitations: authdb.All(),
					})
					return len(full.Sessions) + len(full.Accounts) + len(full.Members) + len(full.TeamMembers) + len(full.Invitations), err
				}, func(ctx context.Context, snapshot bool) (int, error) {
					return userFloor(ctx, floors[snapshot], user.ID, snapshot)
				})
			})
			b.Run(fmt.Sprintf("organization/rows=%d/%s", fanOut, network.name), func(b *testing.B) {
				compare(b, func(ctx context.Context) (int, error) {
					full, err := ours.Organizations.GetFull(ctx, org.ID, authdb.OrganizationWith{
						Members: authdb.All(), Teams: authdb.All(), TeamMembers: authdb.All(), Invitations: authdb.All(),
					})
					n := len(full.Members) + len(full.Teams) + len(full.Invitations)
					for _, team := range full.Teams {
						n += len(team.Members)
					}
					return n, err
				}, func(ctx context.Context, snapshot bool) (int, error) {
					return organizationFloor(ctx, floors[snapshot], org.ID, snapshot)
				})
			})
		}
	}
}

// compare runs the loads in turn, so that all meet the same machine, and reports what ours costs of the floors.
func compare(b *testing.B, ours func(context.Context) (int, error), floor func(context.Context, bool) (int, error)) {
	ctx := b.Context()
	loads := []func(context.Context) (rows int, err error){
		ours,
		func(ctx context.Context) (int, error) { return floor(ctx, false) },
		func(ctx context.Context) (int, error) { return floor(ctx, true) },
	}
	var times [3][]time.Duration
	var rows [3]int
	var allocs [3]float64
	for i, load := range loads {
		for range 10 { // past preparing and custom plans
			n, err := load(ctx)
			if err != nil {
				b.Fatal(err)
			}
			rows[i] = n
		}
		allocs[i] = testing.AllocsPerRun(20, func() { _, _ = load(ctx) })
	}
	if rows[0] != rows[1] || rows[0] != rows[2] {
		b.Fatalf("%d rows, the floors have %v", rows[0], rows[1:])
	}
	for b.Loop() {
		for i, load := range loads {
			start := time.Now()
			if _, err := load(ctx); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	median := func(d []time.Duration) float64 { slices.Sort(d); return float64(d[len(d)/2].Microseconds()) }
	b.ReportMetric(0, "ns/op") // of all together: says nothing
	b.ReportMetric(median(times[0]), "µs")
	b.ReportMetric(median(times[1]), "floor-µs")
	b.ReportMetric(median(times[0])/median(times[1]), "x-floor")
	b.ReportMetric(median(times[0])/median(times[2]), "x-snapshot")
	b.ReportMetric(allocs[0], "allocs")
	b.ReportMetric(allocs[1], "floor-allocs")
}

// delayedPool is a pool of one connection whose round trips take longer by delay.
func delayedPool(b *testing.B, store *authdb.Store, delay time.Duration) *pgxpool.Pool {
	b.Helper()
	cfg := store.Pool().Config()
	cfg.MaxConns = 1
	network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
	cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		return &delayedConn{Conn: conn, delay: delay}, err
	}
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

// delayedConn sleeps before the first read after a write: once in each round trip.
type delayedConn struct {
	net.Conn
	delay   time.Duration
	written bool
}

func (c *delayedConn) Write(p []byte) (int, error) {
	c.written = true
	return c.Conn.Write(p)
}

func (c *delayedConn) Read(p []byte) (int, error) {
	if c.written && c.delay > 0 {
		c.written = false
		time.Sleep(c.delay)
	}
	return c.Conn.Read(p)
}

// benchGraph makes a user and an organization with n rows in each relation, and n of another among them.
func benchGraph(b *testing.B, store *authdb.Store, n int) (authdb.User, authdb.Organization) {
	b.Helper()
	ctx := b.Context()
	user := authdbtest.User(b, store)
	org := authdbtest.Organization(b, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = user.ID })
	users := make([]authdb.CreateUserParams, n)
	for i := range users {
		users[i] = authdb.CreateUserParams{Name: fmt.Sprintf("User %d", i), Email: fmt.Sprintf("u%d@example.com", i)}
	}
	created, err := store.Users.CreateMany(ctx, users)
	if err != nil {
		b.Fatal(err)
	}
	var members []authdb.CreateMemberParams
	team := authdbtest.Team(b, store, func(p *authdb.CreateTeamParams) { p.OrganizationID = org.ID })
	ids := []string{user.ID}
	for i, u := range created {
		if i > 0 { // the owner is one
			ids = append(ids, u.ID)
			members = append(members, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: u.ID})
		}
		authdbtest.Session(b, store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
		authdbtest.Account(b, store, func(p *authdb.CreateAccountParams) { p.UserID = user.ID })
		authdbtest.Invitation(b, store, func(p *authdb.CreateInvitationParams) { p.OrganizationID, p.InviterID = org.ID, user.ID })
		if i > 0 {
			other := authdbtest.Organization(b, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = user.ID })
			t := authdbtest.Team(b, store, func(p *authdb.CreateTeamParams) { p.OrganizationID = other.ID })
			authdbtest.TeamMember(b, store, func(p *authdb.CreateTeamMemberParams) {
				p.OrganizationID, p.TeamID, p.UserID = other.ID, t.ID, user.ID
			})
		}
	}
	if _, err := store.Members.CreateMany(ctx, members); err != nil {
		b.Fatal(err)
	}
	if _, err := store.TeamMembers.CreateMany(ctx, seatsOf(org.ID, team.ID, 0, ids...)); err != nil {
		b.Fatal(err)
	}
	if _, err := store.Pool().Exec(ctx, "ANALYZE"); err != nil {
		b.Fatal(err)
	}
	return user, org
}

const (
	userColumns         = "u.id, u.name, u.email, u.email_verified, u.image, u.created_at, u.updated_at"
	organizationColumns = "o.id, o.name, o.slug, o.logo, o.created_at, o.metadata"
	teamColumns         = "t.id, t.name, t.organization_id, t.created_at, t.updated_at, t.member_count"
	memberColumns       = "m.id, m.organization_id, m.user_id, m.role, m.created_at"
	teamMemberColumns   = "tm.id, tm.team_id, tm.user_id, tm.created_at, tm.membership_key"
	invitationColumns   = "i.id, i.organization_id, i.email, i.role, i.team_id, i.status, i.expires_at, i.created_at, i.inviter_id"
)

// read queues a query and keeps its rows, as one would by hand.
func read[T any](batch *pgx.Batch, total *int, sql string, args ...any) {
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		*total += len(list)
		return err
	})
}

func begin(snapshot bool) *pgx.Batch {
	batch := &pgx.Batch{}
	if snapshot {
		batch.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	}
	return batch
}

func userFloor(ctx context.Context, pool *pgxpool.Pool, id string, snapshot bool) (total int, err error) {
	batch := begin(snapshot)
	read[authdb.Session](batch, &total, `SELECT id, expires_at, token, created_at, updated_at, ip_address, user_agent,
		user_id, active_organization_id, active_team_id FROM session WHERE user_id = $1 ORDER BY created_at, id`, id)
	read[authdb.Account](batch, &total, `SELECT id, account_id, provider_id, user_id, access_token, refresh_token, id_token,
		access_token_expires_at, refresh_token_expires_at, scope, password, created_at, updated_at
		FROM account WHERE user_id = $1 ORDER BY created_at, id`, id)
	read[struct {
		authdb.Member       `json:"a"`
		authdb.Organization `json:"b"`
	}](batch, &total, join(memberColumns, organizationColumns)+` FROM member m JOIN organization o ON o.id = m.organization_id
		WHERE m.user_id = $1 ORDER BY m.created_at, m.id`, id)
	read[struct {
		authdb.TeamMember `json:"a"`
		authdb.Team       `json:"b"`
	}](batch, &total, join(teamMemberColumns, teamColumns)+` FROM team_member tm JOIN team t ON t.id = tm.team_id
		WHERE tm.user_id = $1 ORDER BY tm.created_at, tm.id`, id)
	read[struct {
		authdb.Invitation   `json:"a"`
		authdb.Organization `json:"b"`
	}](batch, &total, join(invitationColumns, organizationColumns)+` FROM invitation i
		JOIN organization o ON o.id = i.organization_id WHERE i.inviter_id = $1 ORDER BY i.created_at, i.id`, id)
	if snapshot {
		batch.Queue("COMMIT")
	}
	err = pool.SendBatch(ctx, batch).Close()
	return total, err
}

func organizationFloor(ctx context.Context, pool *pgxpool.Pool, id string, snapshot bool) (total int, err error) {
	batch := begin(snapshot)
	read[struct {
		authdb.Member `json:"a"`
		authdb.User   `json:"b"`
	}](batch, &total, join(memberColumns, userColumns)+` FROM member m JOIN "user" u ON u.id = m.user_id
		WHERE m.organization_id = $1 ORDER BY m.created_at, m.id`, id)
	read[authdb.Team](batch, &total, join(teamColumns)+` FROM team t WHERE t.organization_id = $1 ORDER BY t.created_at, t.id`, id)
	read[struct {
		authdb.TeamMember `json:"a"`
		authdb.User       `json:"b"`
	}](batch, &total, join(teamMemberColumns, userColumns)+` FROM team t JOIN team_member tm ON tm.team_id = t.id
		JOIN "user" u ON u.id = tm.user_id WHERE t.organization_id = $1 ORDER BY tm.created_at, tm.id`, id)
	read[struct {
		authdb.Invitation `json:"a"`
		authdb.User       `json:"b"`
	}](batch, &total, join(invitationColumns, userColumns)+` FROM invitation i JOIN "user" u ON u.id = i.inviter_id
		WHERE i.organization_id = $1 ORDER BY i.created_at, i.id`, id)
	if snapshot {
		batch.Queue("COMMIT")
	}
	err = pool.SendBatch(ctx, batch).Close()
	return total, err
}

func join(columns ...string) string { return "SELECT " + strings.Join(columns, ", ") }
