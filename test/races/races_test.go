package races_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// arena is a database that two sides work on: this package, and a client that checks, then acts, and takes no lock.
type arena struct {
	*authdb.Store
	other *pgxpool.Pool
	seeds atomic.Int64
}

// The sides by the name of their connections, for triggers and for who waits.
const ours, theirs = "authdb", "other"

func newArena(t *testing.T, conns int32) *arena {
	t.Helper()
	dsn := authdbtest.DSN(t)
	hurry(t, dsn)
	a := &arena{}
	a.Store = kit.Must[*authdb.Store](t)(authdb.Open(t.Context(), dsn, authdb.WithInsecureTLS(),
		authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
			cfg.MaxConns = conns
			cfg.ConnConfig.RuntimeParams["application_name"] = ours
		})))
	t.Cleanup(a.Close)
	cfg := a.Pool().Config()
	cfg.MaxConns, cfg.ConnConfig.RuntimeParams["application_name"] = 8, theirs
	a.other = kit.Must[*pgxpool.Pool](t)(pgxpool.NewWithConfig(t.Context(), cfg))
	t.Cleanup(a.other.Close)
	return a
}

// hurry has the server look for deadlocks soon, where the role may say so: the second that it waits else is spent by
// whoever runs into one.
func hurry(t *testing.T, dsn string) {
	t.Helper()
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(t.Context(), dsn))
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 50', current_database());
		EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`); err != nil {
		t.Fatal(err)
	}
}

// bare is an arena as Better Auth makes it: without the unique indexes.
func bare(t *testing.T) *arena {
	t.Helper()
	a := newArena(t, 8)
	for _, index := range []string{
		"member_organizationId_userId_uidx", "teamMember_teamId_userId_uidx", "account_providerId_accountId_uidx",
	} {
		kit.Exec(t, a.Store, `DROP INDEX "`+index+`"`)
	}
	kit.Exec(t, a.Store, `ALTER TABLE team_member DROP CONSTRAINT team_member_membership_key_unique`)
	return a
}

// at is this package with a clock that is ahead.
func (a *arena) at(ahead time.Duration) *authdb.Store {
	return authdb.New(a.Pool(), authdb.WithClock(func() time.Time { return time.Now().Add(ahead) }))
}

// rowLocks are what makes this package's operations wait for one another, and for others.
var rowLocks = regexp.MustCompile(`FOR (NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)( OF \w+(, \w+)*)?( SKIP LOCKED)?`)

// unlocked is this package on a pool with its row locks gone from the SQL.
func unlocked(pool *pgxpool.Pool) *authdb.Store { return authdb.New(stripped{pool}) }

type stripped struct{ *pgxpool.Pool }

func (s stripped) strip(sql string) string {
	sql = rowLocks.ReplaceAllString(sql, "")
	return strings.ReplaceAll(sql, "ON CONFLICT (team_id, user_id) DO UPDATE SET user_id = excluded.user_id", "ON CONFLICT DO NOTHING")
}

func (s stripped) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return s.Pool.Exec(ctx, s.strip(sql), args...)
}

func (s stripped) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.Pool.Query(ctx, s.strip(sql), args...)
}

func (s stripped) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return s.Pool.QueryRow(ctx, s.strip(sql), args...)
}

func (s stripped) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, query := range b.QueuedQueries {
		query.SQL = s.strip(query.SQL)
	}
	return s.Pool.SendBatch(ctx, b)
}

// What seed makes n times, each with a letter and a number: organizations o with an owner w, whose membership is v;
// teams s and t; users u; invitations i from w to u, to both teams; memberships m of u.
const (
	seedUsers = `INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
		SELECT $1::text || 'u' || n, 'x', $1 || 'u' || n || '@example.com', true, now(), now() FROM generate_series(1, $2::int) n`
	seedOrganizations = `WITH owner AS (
			INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
			SELECT $1::text || 'w' || n, 'x', $1 || 'w' || n || '@example.com', true, now(), now() FROM generate_series(1, $2::int) n
		), organization AS (
			INSERT INTO organization (id, name, slug, created_at) SELECT $1 || 'o' || n, 'x', $1 || 'o' || n, now() FROM generate_series(1, $2) n
		)
		INSERT INTO member (id, organization_id, user_id, role, created_at)
		SELECT $1 || 'v' || n, $1 || 'o' || n, $1 || 'w' || n, 'owner', now() FROM generate_series(1, $2) n`
	seedTeams = `INSERT INTO team (id, name, organization_id, created_at, updated_at)
		SELECT $1::text || letter || n, 'x', $1 || 'o' || n, now(), now() FROM generate_series(1, $2::int) n, unnest('{s,t}'::text[]) letter`
	seedInvitations = `INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at, inviter_id)
		SELECT $1::text || 'i' || n, $1 || 'o' || n, $1 || 'u' || n || '@example.com', 'member', $1 || 's' || n || ',' || $1 || 't' || n,
			'pending', now() + interval '1 hour', now(), $1 || 'w' || n FROM generate_series(1, $2::int) n`
	seedMembers = `INSERT INTO member (id, organization_id, user_id, role, created_at)
		SELECT $1::text || 'm' || n, $1 || 'o' || n, $1 || 'u' || n, 'member', now() FROM generate_series(1, $2::int) n`
)

// seed makes rows by plain SQL and returns what names them.
func (a *arena) seed(t *testing.T, n int, statements ...string) func(letter string, i int) string {
	t.Helper()
	prefix := fmt.Sprintf("r%dx", a.seeds.Add(1))
	for _, statement := range statements {
		kit.Exec(t, a.Store, statement, prefix, n)
	}
	return func(letter string, i int) string { return fmt.Sprint(prefix, letter, i+1) }
}

func (a *arena) number(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := a.other.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// zero checks that a query which counts wrong rows finds none.
func (a *arena) zero(t *testing.T, wrong ...string) {
	t.Helper()
	for _, sql := range wrong {
		if n := a.number(t, sql); n != 0 {
			t.Errorf("%d wrong rows: %.150s", n, strings.Join(strings.Fields(sql), " "))
		}
	}
}

// Rows that are wrong whatever happened.
const (
	membersTwice  = `SELECT count(*) FROM (SELECT FROM member GROUP BY organization_id, user_id HAVING count(*) > 1) twice`
	seatsTwice    = `SELECT count(*) FROM (SELECT FROM team_member GROUP BY team_id, user_id HAVING count(*) > 1) twice`
	seatsWrong    = `SELECT count(*) FROM team WHERE member_count <> (SELECT count(*) FROM team_member tm WHERE tm.team_id = team.id)`
	seatsOfOthers = `SELECT count(*) FROM team_member tm JOIN team t ON t.id = tm.team_id
		WHERE NOT EXISTS (SELECT FROM member m WHERE m.organization_id = t.organization_id AND m.user_id = tm.user_id)`
	activeOfOthers = `SELECT count(*) FROM session s
		WHERE s.active_organization_id IS NOT NULL AND NOT EXISTS (
				SELECT FROM member m WHERE m.organization_id = s.active_organization_id AND m.user_id = s.user_id)
			OR s.active_team_id IS NOT NULL AND NOT EXISTS (
				SELECT FROM team_member tm WHERE tm.team_id = s.active_team_id AND tm.user_id = s.user_id)`
	ownerless = `SELECT count(*) FROM organization o WHERE NOT EXISTS (
		SELECT FROM member m WHERE m.organization_id = o.id AND 'owner' = ANY(string_to_array(m.role, ',')))`
	// The invitation of a round says what became of its user.
	memberOfCanceled = `SELECT count(*) FROM invitation i JOIN "user" u ON u.email = i.email
		JOIN member m ON m.organization_id = i.organization_id AND m.user_id = u.id WHERE i.status <> 'accepted'`
	acceptedByNobody = `SELECT count(*) FROM invitation i JOIN "user" u ON u.email = i.email WHERE i.status = 'accepted'
		AND NOT EXISTS (SELECT FROM member m WHERE m.organization_id = i.organization_id AND m.user_id = u.id)`
)

// deadlocks is how many the server has ended. This package's operations begin again then.
func (a *arena) deadlocks(t *testing.T) int {
	t.Helper()
	return a.number(t, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
}

// both is atOnce for two different calls.
func both(one, two func() error) (error, error) {
	errs := kit.AtOnce(2, func(i int) error { return []func() error{one, two}[i]() })
	return errs[0], errs[1]
}

// rounds runs n rounds, three at a time.
func rounds(n int, round func(i int)) {
	var next atomic.Int64
	kit.AtOnce(3, func(int) error {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			round(i)
		}
		return nil
	})
}

// goesWrong is the control of a race: without its guard, some round must leave wrong rows.
func goesWrong(t *testing.T, what string, round func(i int) (wrong int)) {
	t.Helper()
	for i, end := 0, time.Now().Add(30*time.Second); time.Now().Before(end); i++ {
		if wrong := round(i); wrong > 0 {
			t.Logf("control: %s: %d wrong in round %d", what, wrong, i+1)
			return
		} else if t.Failed() {
			return
		}
	}
	t.Errorf("control: %s: nothing went wrong", what)
}

// begin opens a transaction of the other side.
func (a *arena) begin(t *testing.T) pgx.Tx {
	t.Helper()
	tx := kit.Must[pgx.Tx](t)(a.other.Begin(t.Context()))
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// waiting is a call that waits for a lock.
type waiting struct{ done chan error }

// waits makes a call that must wait for a lock, and returns once it does.
func (a *arena) waits(t *testing.T, call func() error) waiting {
	t.Helper()
	p := waiting{make(chan error, 1)}
	go func() { p.done <- call() }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if a.number(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock'`) > 0 {
			return p
		}
		select {
		case err := <-p.done:
			t.Errorf("did not wait: %v", err)
			p.done <- err
			return p
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("neither waits nor returns")
		}
	}
}

// afterwards lets the call go on and returns its error.
func (p waiting) afterwards(t *testing.T, end func(context.Context) error) error {
	t.Helper()
	if err := end(context.Background()); err != nil {
		t.Error(err)
	}
	return <-p.done
}

// TestRaceAccept: an invitation is accepted once, whoever else is at it.
func TestRaceAccept(t *testing.T) {
	t.Parallel()
	a := newArena(t, 32)
	ctx := t.Context()
	accept := func(id func(string, int) string, i int) func() error {
		return func() error {
			return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", i), UserID: id("u", i)}))
		}
	}

	t.Run("by many calls at once", func(t *testing.T) {
		n, id := kit.Hard(t, 300, 10_000), a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedInvitations)
		var first atomic.Int64
		var members sync.Map
		began := time.Now()
		errs := kit.AtOnce(n, func(int) error {
			got, err := a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", 0), UserID: id("u", 0), AllowUnverified: true})
			if err == nil && !got.AlreadyAccepted {
				first.Add(1)
			}
			members.Store(got.Member.ID, true)
			return err
		})
		took, distinct := time.Since(began), 0
		members.Range(func(any, any) bool { distinct++; return true })
		if ok := kit.Succeeded(t, errs); ok != n || first.Load() != 1 || distinct != 1 {
			t.Errorf("%d of %d ok, %d times accepted, %d members returned", ok, n, first.Load(), distinct)
		}
		rows := a.number(t, `SELECT count(*) FROM member WHERE user_id = $1`, id("u", 0))
		if rows != 1 {
			t.Errorf("%d members", rows)
		}
		if seats := a.number(t, `SELECT count(*) FROM team_member WHERE user_id = $1`, id("u", 0)); seats != 2 {
			t.Errorf("%d team members", seats)
		}
		a.zero(t, seatsWrong)
		t.Logf("%d calls in %v: %d accepted, %d members", n, took.Round(time.Millisecond), first.Load(), rows)
	})

	t.Run("many of one user at once", func(t *testing.T) {
		n := kit.Hard(t, 30, 200)
		id, who := a.seed(t, n, seedOrganizations), a.seed(t, 1, seedUsers)
		// Better Auth's own races leave several pending to one address.
		for i := range n {
			kit.Exec(t, a.Store, `INSERT INTO invitation (id, organization_id, email, status, expires_at, created_at, inviter_id)
				SELECT $1 || copy, $2, $3, 'pending', now() + interval '1 hour', now(), $4 FROM generate_series(1, 3) copy`,
				id("i", i), id("o", i), who("u", 0)+"@example.com", id("w", i))
		}
		errs := kit.AtOnce(3*n, func(i int) error {
			return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: fmt.Sprint(id("i", i/3), i%3+1), UserID: who("u", 0), AllowUnverified: true}))
		})
		ok, members := kit.Succeeded(t, errs, authdb.ErrNotPending), a.number(t, `SELECT count(*) FROM member WHERE user_id = $1`, who("u", 0))
		if ok != n || members != n {
			t.Errorf("%d of %d accepted, %d members of %d organizations", ok, 3*n, members, n)
		}
		a.zero(t, membersTwice, `SELECT count(*) FROM invitation WHERE status = 'pending' AND email LIKE '`+who("u", 0)+`@%'`)
		kit.Exec(t, a.Store, `DELETE FROM invitation WHERE status = 'canceled'`)
		t.Logf("%d invitations to %d organizations: %d members", 3*n, n, members)
	})

	// Each round is decided for one of the two, and the rows say so.
	n := kit.Hard(t, 25, 1_000)
	for _, duel := range []struct {
		name string
		call func(id func(string, int) string, i int) error
	}{
		{"or canceled", func(id func(string, int) string, i int) error {
			return kit.ErrOf(a.Invitations.Cancel(ctx, id("o", i), id("i", i)))
		}},
		{"or rejected", func(id func(string, int) string, i int) error {
			return kit.ErrOf(a.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: id("i", i), UserID: id("u", i), AllowUnverified: true}))
		}},
		{"or expired", func(id func(string, int) string, i int) error {
			expired, err := a.at(2*time.Hour).Invitations.CancelExpired(ctx, id("o", i))
			if err == nil && expired == 0 {
				err = authdb.ErrNotPending
			}
			return err
		}},
	} {
		t.Run(duel.name, func(t *testing.T) {
			id, accepted := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedInvitations), atomic.Int64{}
			rounds(n, func(i int) {
				one, two := both(accept(id, i), func() error { return duel.call(id, i) })
				if kit.Succeeded(t, []error{one, two}, authdb.ErrNotPending) != 1 {
					t.Errorf("round %d: accept %v, the other %v", i, one, two)
				}
				if one == nil {
					accepted.Add(1)
				}
			})
			a.zero(t, memberOfCanceled, acceptedByNobody, membersTwice, seatsWrong, seatsOfOthers)
			t.Logf("%d rounds: %d accepted, 0 inconsistent", n, accepted.Load())
		})
	}

	t.Run("while a team goes", func(t *testing.T) {
		id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedInvitations)
		rounds(n, func(i int) {
			one, two := both(accept(id, i), func() error {
				return a.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", i), TeamID: id("s", i)})
			})
			kit.Succeeded(t, []error{one, two})
			if seats := a.number(t, `SELECT count(*) FROM team_member WHERE user_id = $1`, id("u", i)); seats != 1 {
				t.Errorf("round %d: in %d teams, of which one is left", i, seats)
			}
		})
		a.zero(t, memberOfCanceled, acceptedByNobody, seatsWrong, seatsOfOthers)
		t.Logf("%d rounds", n)
	})

	t.Run("by a user who is deleted", func(t *testing.T) {
		id, joined := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedInvitations), atomic.Int64{}
		rounds(n, func(i int) {
			one, two := both(accept(id, i), func() error { return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", i)})) })
			joined.Add(int64(kit.Succeeded(t, []error{one}, authdb.ErrNotFound, authdb.ErrReference)))
			kit.Succeeded(t, []error{two})
		})
		a.zero(t, seatsWrong, seatsOfOthers)
		t.Logf("%d rounds: %d accepted first", n, joined.Load())
	})

	t.Run("by a member who is removed", func(t *testing.T) {
		id, left := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedInvitations, seedMembers), atomic.Int64{}
		rounds(n, func(i int) {
			one, two := both(accept(id, i), func() error {
				return a.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: id("o", i), MemberID: id("m", i)})
			})
			left.Add(int64(kit.Succeeded(t, []error{one}, authdb.ErrNotPending)))
			kit.Succeeded(t, []error{two})
			members := a.number(t, `SELECT count(*) FROM member WHERE user_id = $1`, id("u", i))
			seats := a.number(t, `SELECT count(*) FROM team_member WHERE user_id = $1`, id("u", i))
			if members > 0 || seats > 0 {
				t.Errorf("round %d: %d members, %d team members", i, members, seats)
			}
		})
		a.zero(t, membersTwice, seatsWrong, seatsOfOthers)
		t.Logf("%d rounds: %d removed after they accepted, nobody there", n, left.Load())
	})

	t.Run("control", func(t *testing.T) {
		b := bare(t)
		naive := betterAuth{b.other}
		goesWrong(t, "accepted by eight who check first", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedInvitations)
			kit.AtOnce(8, func(int) error { return naive.accept(ctx, id("i", 0), id("u", 0), true, 0) })
			return b.number(t, `SELECT count(*) - 1 FROM member WHERE user_id = $1`, id("u", 0))
		})
		open := unlocked(a.other)
		goesWrong(t, "accept without locks what is being canceled", func(int) int {
			id, tx := a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedInvitations), a.begin(t)
			kit.Must[authdb.Invitation](t)(authdb.New(tx).Invitations.Cancel(ctx, id("o", 0), id("i", 0)))
			if err := a.waits(t, func() error {
				return kit.ErrOf(open.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", 0), UserID: id("u", 0), AllowUnverified: true}))
			}).afterwards(t, tx.Commit); err != nil {
				return 0
			}
			return 1
		})
	})
}

// removals notes who takes the role of an owner away, in the transaction that does it, and which of the organization's
// removals were committed by then. BEFORE: the row is locked by then, and the notes are read right after.
const removals = `
	CREATE TABLE removal (no bigserial, organization_id text, member_id text, side text, seen bigint[]);
	CREATE FUNCTION note_removal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF OLD.role = 'owner' AND (TG_OP = 'DELETE' OR NEW.role <> 'owner') THEN
			INSERT INTO removal (organization_id, member_id, side, seen)
			SELECT OLD.organization_id, OLD.id, current_setting('application_name'),
				ARRAY(SELECT r.no FROM removal r WHERE r.organization_id = OLD.organization_id);
		END IF;
		IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER note_removal BEFORE UPDATE OR DELETE ON member FOR EACH ROW EXECUTE FUNCTION note_removal()`

// removedLastOwner counts the removals of this package that left no owner: for which no other owner was there. An owner
// was there if it still is, or if its removal came later: if that removal saw this one committed. What was removed by
// a transaction that had not ended yet, and then committed, was not there.
const removedLastOwner = `SELECT count(*) FROM removal r
	WHERE r.side = '` + ours + `' AND EXISTS (SELECT FROM organization o WHERE o.id = r.organization_id)
		AND NOT EXISTS (SELECT FROM member m WHERE m.organization_id = r.organization_id AND m.role = 'owner')
		AND NOT EXISTS (SELECT FROM removal later
			WHERE later.organization_id = r.organization_id AND r.no = ANY(later.seen))`

// owners makes n organizations with some owners each: for the organization o1 users o1u1... and members o1m1...
func (a *arena) owners(t *testing.T, n, each int) func(letter string, i, j int) string {
	t.Helper()
	id := a.seed(t, n, `INSERT INTO organization (id, name, slug, created_at)
		SELECT $1::text || 'o' || n, 'x', $1 || 'o' || n, now() FROM generate_series(1, $2::int) n`)
	prefix := strings.TrimSuffix(id("", 0), "1")
	kit.Exec(t, a.Store, `WITH person AS (
			INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
			SELECT $1::text || 'u' || n || '-' || m, 'x', $1 || n || '-' || m || '@example.com', true, now(), now()
			FROM generate_series(1, $2::int) n, generate_series(1, $3::int) m
		)
		INSERT INTO member (id, organization_id, user_id, role, created_at)
		SELECT $1 || 'm' || n || '-' || m, $1 || 'o' || n, $1 || 'u' || n || '-' || m, 'owner', now()
		FROM generate_series(1, $2) n, generate_series(1, $3) m`, prefix, n, each)
	return func(letter string, i, j int) string {
		if letter == "o" {
			return id("o", i)
		}
		return fmt.Sprintf("%s-%d", id(letter, i), j+1)
	}
}

// A door is a way for an owner to go.
type door struct {
	name string
	goes func(organizationID, memberID, userID string) error
}

func (a *arena) doors(ctx context.Context, s *authdb.Store) []door {
	return []door{
		{"Members.Delete", func(org, member, _ string) error {
			return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: org, MemberID: member})
		}},
		{"Members.Update", func(org, member, _ string) error {
			return kit.ErrOf(s.Members.Update(ctx, org, member, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleMember)}))
		}},
		{"Members.Leave", func(org, _, user string) error { return s.Members.Leave(ctx, org, user) }},
		{"Users.Delete", func(_, _, user string) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: user}))
		}},
	}
}

func (a *arena) foreignDoors(ctx context.Context) []door {
	naive := betterAuth{a.other}
	return []door{
		{"one statement", func(org, member, _ string) error {
			tag, err := a.other.Exec(ctx, `DELETE FROM member WHERE id = $1
				AND (SELECT count(*) FROM member WHERE organization_id = $2 AND role = 'owner') > 1`, member, org)
			if err == nil && tag.RowsAffected() == 0 {
				err = authdb.ErrLastOwner
			}
			return err
		}},
		{"Better Auth", func(org, member, user string) error { return naive.leave(ctx, org, member, user) }},
	}
}

// TestRaceLastOwner: no operation takes an organization's last owner away, through whatever doors its owners go.
//
// A client that checks, then acts, and takes no lock can do so behind the back of any operation: between its check and
// its act. So where such a one takes part, organizations may end without an owner, and what counts is whether an
// operation of this package did it; removedLastOwner says when. It is exact: an operation holds a lock on an owner who
// stays, so that owner's removal, if there is one, sees the operation committed.
func TestRaceLastOwner(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx := t.Context()
	kit.Exec(t, a.Store, removals)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	own, all := a.doors(ctx, a.Store), append(a.doors(ctx, a.Store), a.foreignDoors(ctx)...)

	for _, test := range []struct {
		name  string
		each  int
		doors []door
	}{
		{"two owners, this package's doors", 2, own},
		{"eight owners, this package's doors", 8, own},
		{"two owners, all doors", 2, all},
		{"eight owners, all doors", 8, all},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := kit.Hard(t, 20, 1_000)
			id, draw := a.owners(t, n, test.each), rand.New(rand.NewPCG(seed, uint64(test.each)))
			drawn := make([]door, n*test.each)
			for i := range drawn {
				drawn[i] = test.doors[draw.IntN(len(test.doors))]
			}
			var ownerlessOrgs atomic.Int64
			rounds(n, func(i int) {
				errs := kit.AtOnce(test.each, func(j int) error {
					return drawn[i*test.each+j].goes(id("o", i, 0), id("m", i, j), id("u", i, j))
				})
				gone := kit.Succeeded(t, errs, authdb.ErrLastOwner, errRefused)
				left := a.number(t, `SELECT count(*) FROM member WHERE organization_id = $1 AND role = 'owner'`, id("o", i, 0))
				if left == 0 {
					ownerlessOrgs.Add(1)
				}
				if len(test.doors) == len(own) && (gone != test.each-1 || left != 1) {
					t.Errorf("round %d: %d of %d owners went, %d left", i, gone, test.each, left)
				}
			})
			a.zero(t, removedLastOwner)
			t.Logf("%d rounds of %d owners: %d ownerless, %d of them by an operation of this package",
				n, test.each, ownerlessOrgs.Load(), a.number(t, removedLastOwner))
		})
	}

	t.Run("with a successor", func(t *testing.T) {
		n := kit.Hard(t, 20, 500)
		id, heirs := a.owners(t, n, 2), a.seed(t, n, seedUsers)
		rounds(n, func(i int) {
			errs := kit.AtOnce(2, func(j int) error {
				if j == 0 {
					return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", i, 0), SuccessorID: heirs("u", i)}))
				}
				return own[i%3].goes(id("o", i, 0), id("m", i, 1), id("u", i, 1))
			})
			kit.Succeeded(t, errs, authdb.ErrLastOwner)
			if errs[0] != nil {
				t.Errorf("round %d: %v", i, errs[0])
			}
			if a.number(t, `SELECT count(*) FROM member WHERE organization_id = $1 AND role = 'owner'`, id("o", i, 0)) == 0 {
				t.Errorf("round %d: ownerless", i)
			}
		})
		t.Logf("%d rounds", n)
	})

	t.Run("with the organizations", func(t *testing.T) {
		n := kit.Hard(t, 20, 500)
		id, deleted := a.owners(t, n, 2), atomic.Int64{}
		rounds(n, func(i int) {
			errs := kit.AtOnce(2, func(j int) error {
				if j == 0 {
					return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", i, 0), DeleteOrganizations: true}))
				}
				return own[i%3].goes(id("o", i, 0), id("m", i, 1), id("u", i, 1))
			})
			kit.Succeeded(t, errs, authdb.ErrLastOwner, authdb.ErrNotFound)
			owners := a.number(t, `SELECT count(*) FROM member WHERE organization_id = $1 AND role = 'owner'`, id("o", i, 0))
			there := a.number(t, `SELECT count(*) FROM organization WHERE id = $1`, id("o", i, 0))
			if errs[0] != nil || owners != there {
				t.Errorf("round %d: %v; %d organization, %d owners", i, errs[0], there, owners)
			}
			deleted.Add(int64(1 - there))
		})
		t.Logf("%d rounds: %d organizations deleted", n, deleted.Load())
	})

	t.Run("two who name each other as successor", func(t *testing.T) {
		n := kit.Hard(t, 4, 50)
		id := a.owners(t, 2*n, 1)
		rounds(n, func(i int) {
			errs := kit.AtOnce(2, func(j int) error {
				return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", 2*i+j, 0), SuccessorID: id("u", 2*i+1-j, 0)}))
			})
			if kit.Succeeded(t, errs, authdb.ErrReference) != 1 {
				t.Errorf("round %d: %v", i, errs)
			}
		})
		t.Logf("%d rounds", n)
	})

	// While the other side's removal of one owner is under way, nobody knows whether the other one is the last.
	for _, door := range own {
		t.Run(door.name+" waits for a removal", func(t *testing.T) {
			id := a.owners(t, 4, 2)
			for i, act := range []struct {
				sql   string
				ended bool
			}{
				{`DELETE FROM member WHERE id = $1`, true},
				{`UPDATE member SET role = 'member' WHERE id = $1`, true},
				{`DELETE FROM "user" WHERE id = (SELECT user_id FROM member WHERE id = $1)`, true},
				{`DELETE FROM member WHERE id = $1`, false},
			} {
				tx := a.begin(t)
				if _, err := tx.Exec(ctx, act.sql, id("m", i, 0)); err != nil {
					t.Fatal(err)
				}
				call := a.waits(t, func() error { return door.goes(id("o", i, 0), id("m", i, 1), id("u", i, 1)) })
				if act.ended {
					if err := call.afterwards(t, tx.Commit); !errors.Is(err, authdb.ErrLastOwner) {
						t.Errorf("after a commit of %s: %v, want ErrLastOwner", act.sql, err)
					}
				} else if err := call.afterwards(t, tx.Rollback); err != nil {
					t.Errorf("after a rollback: %v", err)
				}
			}
		})
	}

	t.Run("a successor who goes at the same moment", func(t *testing.T) {
		id, heirs := a.owners(t, 1, 1), a.seed(t, 1, seedUsers)
		tx := a.begin(t)
		if _, err := tx.Exec(ctx, `DELETE FROM "user" WHERE id = $1`, heirs("u", 0)); err != nil {
			t.Fatal(err)
		}
		err := a.waits(t, func() error {
			return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", 0, 0), SuccessorID: heirs("u", 0)}))
		}).afterwards(t, tx.Commit)
		if !errors.Is(err, authdb.ErrReference) {
			t.Errorf("got %v, want ErrReference", err)
		}
	})

	t.Logf("%d deadlocks, of which no caller heard", a.deadlocks(t))

	t.Run("control", func(t *testing.T) {
		b := newArena(t, 16)
		kit.Exec(t, b.Store, removals)
		foreign, open := b.foreignDoors(ctx), b.doors(ctx, unlocked(b.other))
		for _, doors := range [][]door{foreign[:1], foreign[1:], open} {
			goesWrong(t, fmt.Sprintf("eight owners by %s, without locks", doors[0].name), func(n int) int {
				id := b.owners(t, 1, 8)
				kit.AtOnce(8, func(j int) error {
					return doors[(n+j)%len(doors)].goes(id("o", 0, 0), id("m", 0, j), id("u", 0, j))
				})
				return b.number(t, ownerless)
			})
		}
		// And the criterion must tell: the same operations, with their locks gone, on the side that it judges.
		judged := unlocked(b.Pool())
		goesWrong(t, "this package without locks, beside Better Auth", func(int) int {
			id := b.owners(t, 1, 2)
			kit.AtOnce(2, func(j int) error {
				return []door{b.doors(ctx, judged)[2], foreign[1]}[j].goes(id("o", 0, 0), id("m", 0, j), id("u", 0, j))
			})
			return b.number(t, removedLastOwner)
		})
	})
}

// TestRaceLimits: a limit is reached and not passed.
func TestRaceLimits(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 200)
	const most = 10
	prefix := func(id func(string, int) string) string { return strings.TrimSuffix(id("", 0), "1") }
	inOne := `UPDATE invitation SET organization_id = $1::text || 'o1', team_id = NULL, inviter_id = $1 || 'w1'
		WHERE id LIKE $1 || 'i%' AND $2::int > 0`

	// crowd is one organization, and n users who are in it if they are members.
	crowd := func(t *testing.T, a *arena, members bool) func(string, int) string {
		id := a.seed(t, n, seedOrganizations, seedUsers, seedInvitations, inOne)
		kit.Exec(t, a.Store, `INSERT INTO team (id, name, organization_id, created_at) VALUES ($1, 'x', $2, now())`, id("t", 0), id("o", 0))
		if members {
			kit.Exec(t, a.Store, `INSERT INTO member (id, organization_id, user_id, role, created_at)
				SELECT $1::text || 'm' || n, $1 || 'o1', $1 || 'u' || n, 'member', now() FROM generate_series(1, $2::int) n`, prefix(id), n)
		}
		return id
	}
	check := func(t *testing.T, errs []error, want int, count string, args ...any) {
		t.Helper()
		ok, rows := kit.Succeeded(t, errs, authdb.ErrLimitReached), a.number(t, count, args...)
		if rows != most || ok != want {
			t.Errorf("%d succeeded, want %d; %d rows, want %d", ok, want, rows, most)
		}
		a.zero(t, membersTwice, seatsTwice, seatsWrong, seatsOfOthers)
		t.Logf("%d callers, limit %d: %d rows", len(errs), most, rows)
	}

	joins := func(s *authdb.Store, id func(string, int) string) func(i int) error {
		return func(i int) error {
			p := authdb.CreateMemberParams{OrganizationID: id("o", 0), UserID: id("u", i), MaxMembers: most}
			switch i % 3 {
			case 0:
				return kit.ErrOf(s.Members.Create(ctx, p))
			case 1:
				return kit.ErrOf(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{p}))
			}
			return kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", i), UserID: id("u", i), AllowUnverified: true, MaxMembers: most}))
		}
	}
	t.Run("of members", func(t *testing.T) {
		id := crowd(t, a, false)
		check(t, kit.AtOnce(n, joins(a.Store, id)), most-1, `SELECT count(*) FROM member WHERE organization_id = $1`, id("o", 0))
	})

	makesTeam := func(s *authdb.Store, org string) func(i int) error {
		return func(int) error {
			return kit.ErrOf(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org, Name: "x", MaxTeams: most}))
		}
	}
	t.Run("of teams", func(t *testing.T) {
		id := a.seed(t, 1, seedOrganizations)
		check(t, kit.AtOnce(n, makesTeam(a.Store, id("o", 0))), most, `SELECT count(*) FROM team WHERE organization_id = $1`, id("o", 0))
	})

	takesSeat := func(s *authdb.Store, id func(string, int) string) func(i int) error {
		return func(i int) error {
			return kit.ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
				OrganizationID: id("o", 0), TeamID: id("t", 0), UserID: id("u", i), MaxMembers: most,
			}))
		}
	}
	inTeam := `SELECT count(*) FROM team_member WHERE team_id = $1`
	t.Run("of team members", func(t *testing.T) {
		id := crowd(t, a, true)
		check(t, kit.AtOnce(n, takesSeat(a.Store, id)), most, inTeam, id("t", 0))
	})
	t.Run("of team members by invitation too", func(t *testing.T) {
		id := crowd(t, a, false)
		kit.Exec(t, a.Store, `UPDATE invitation SET team_id = $1 WHERE organization_id = $2`, id("t", 0), id("o", 0))
		kit.Exec(t, a.Store, `INSERT INTO member (id, organization_id, user_id, role, created_at)
			SELECT $1::text || 'm' || n, $1 || 'o1', $1 || 'u' || n, 'member', now() FROM generate_series(1, $2::int, 2) n`, prefix(id), n)
		check(t, kit.AtOnce(n, func(i int) error {
			if i%2 == 0 {
				return takesSeat(a.Store, id)(i)
			}
			return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", i), UserID: id("u", i), AllowUnverified: true, MaxTeamMembers: most}))
		}), most, inTeam, id("t", 0))
	})

	invites := func(s *authdb.Store, id func(string, int) string) func(i int) error {
		return func(i int) error {
			return kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
				OrganizationID: id("o", 0), InviterID: id("w", 0), Email: fmt.Sprintf("guest%d@example.com", i), MaxPending: most,
			}))
		}
	}
	pendingOf := `SELECT count(*) FROM invitation WHERE organization_id = $1 AND status = 'pending'`
	t.Run("of pending invitations", func(t *testing.T) {
		id := a.seed(t, 1, seedOrganizations)
		check(t, kit.AtOnce(n, invites(a.Store, id)), most, pendingOf, id("o", 0))
	})

	// Better Auth 1.7 takes a seat by one statement and fills it by the next.
	t.Run("of team members beside Better Auth", func(t *testing.T) {
		for range kit.Hard(t, 3, 20) {
			id := crowd(t, a, true)
			naive := betterAuth{a.other}
			check(t, kit.AtOnce(n, func(i int) error {
				if i%2 == 0 {
					return takesSeat(a.Store, id)(i)
				}
				return naive.joinTeam(ctx, id("t", 0), id("u", i), most)
			}), most, inTeam, id("t", 0))
		}
	})
	for _, how := range []string{"TeamMembers.Create", "Invitations.Accept"} {
		t.Run(how+" waits for a seat that is being taken", func(t *testing.T) {
			id := crowd(t, a, how == "TeamMembers.Create")
			kit.Exec(t, a.Store, `UPDATE invitation SET team_id = $1 WHERE organization_id = $2`, id("t", 0), id("o", 0))
			kit.Exec(t, a.Store, `UPDATE team SET member_count = $1 WHERE id = $2`, most-1, id("t", 0))
			tx := a.begin(t)
			if _, err := tx.Exec(ctx, `UPDATE team SET member_count = member_count + 1 WHERE id = $1 AND member_count < $2`,
				id("t", 0), most); err != nil {
				t.Fatal(err)
			}
			err := a.waits(t, func() error {
				if how == "TeamMembers.Create" {
					return takesSeat(a.Store, id)(0)
				}
				return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", 0), UserID: id("u", 0), AllowUnverified: true, MaxTeamMembers: most}))
			}).afterwards(t, tx.Commit)
			if seats := a.number(t, `SELECT member_count FROM team WHERE id = $1`, id("t", 0)); !errors.Is(err, authdb.ErrLimitReached) || seats != most {
				t.Errorf("%v; %d seats taken of %d", err, seats, most)
			}
			kit.Exec(t, a.Store, `DELETE FROM team WHERE id = $1`, id("t", 0)) // its count is made up
		})
	}

	t.Run("control", func(t *testing.T) {
		open := unlocked(a.other)
		goesWrong(t, "members without locks", func(int) int {
			id := crowd(t, a, false)
			kit.AtOnce(n, joins(open, id))
			return a.number(t, `SELECT count(*) - $2 FROM member WHERE organization_id = $1`, id("o", 0), most)
		})
		goesWrong(t, "teams without locks", func(int) int {
			id := a.seed(t, 1, seedOrganizations)
			kit.AtOnce(n, makesTeam(open, id("o", 0)))
			return a.number(t, `SELECT count(*) - $2 FROM team WHERE organization_id = $1`, id("o", 0), most)
		})
		goesWrong(t, "team members without locks", func(int) int {
			id := crowd(t, a, true)
			kit.AtOnce(n, takesSeat(open, id))
			return a.number(t, `SELECT count(*) - $2 FROM team_member WHERE team_id = $1`, id("t", 0), most)
		})
		goesWrong(t, "pending invitations without locks", func(int) int {
			id := a.seed(t, 1, seedOrganizations)
			kit.AtOnce(n, invites(open, id))
			return a.number(t, `SELECT count(*) - $2 FROM invitation WHERE organization_id = $1 AND status = 'pending'`, id("o", 0), most)
		})
	})
}

// TestRaceOnePendingInvitation: an address has one invitation pending, however many invite it.
func TestRaceOnePendingInvitation(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 200)
	invite := func(s *authdb.Store, id func(string, int) string, email string) (authdb.Invitation, error) {
		return s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: id("o", 0), InviterID: id("w", 0), Email: email, TeamIDs: []string{id("t", 0)},
		})
	}
	pendingTo := `SELECT count(*) FROM invitation WHERE organization_id = $1 AND email LIKE $2 AND status = 'pending'`
	expire := func(t *testing.T, id func(string, int) string, email string, interval string) {
		t.Helper()
		kit.Exec(t, a.Store, `INSERT INTO invitation (id, organization_id, email, status, expires_at, created_at, inviter_id)
			SELECT $1 || n, $2, $3, 'pending', now() + $5::interval, now() - interval '3 days', $4 FROM generate_series(1, 3) n`,
			id("e", 0)+interval, id("o", 0), email, id("w", 0), interval)
	}

	for _, test := range []struct {
		name   string
		before string // when the address's three earlier invitations end; empty for none
		made   int
	}{
		{"the first", "", 1}, {"after some that expired", "-1 hour", 1}, {"after several that Better Auth left", "1 hour", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := a.seed(t, 1, seedOrganizations, seedTeams)
			if test.before != "" {
				expire(t, id, "ada@example.com", test.before)
			}
			before := a.number(t, `SELECT count(*) FROM invitation`)
			ids := make([]string, n)
			errs := kit.AtOnce(n, func(i int) error {
				got, err := invite(a.Store, id, "ada@example.com")
				ids[i] = got.ID
				return err
			})
			slices.Sort(ids)
			made := a.number(t, `SELECT count(*) FROM invitation`) - before
			left := a.number(t, pendingTo, id("o", 0), "ada@example.com")
			if ok := kit.Succeeded(t, errs); ok != n || len(slices.Compact(ids)) != 1 || made != test.made || left != 1 {
				t.Errorf("%d of %d ok, %d invitations returned, %d made, %d pending", ok, n, len(slices.Compact(ids)), made, left)
			}
			t.Logf("%d calls: %d made, %d pending", n, made, left)
		})
	}

	t.Run("many addresses", func(t *testing.T) {
		id, addresses := a.seed(t, 1, seedOrganizations, seedTeams), kit.Hard(t, 10, 50)
		errs := kit.AtOnce(4*addresses, func(i int) error {
			return kit.ErrOf(invite(a.Store, id, fmt.Sprintf("guest%d@example.com", i%addresses)))
		})
		if ok, left := kit.Succeeded(t, errs), a.number(t, pendingTo, id("o", 0), "guest%"); ok != 4*addresses || left != addresses {
			t.Errorf("%d ok, %d pending of %d addresses", ok, left, addresses)
		}
		t.Logf("%d calls for %d addresses", 4*addresses, addresses)
	})

	t.Run("control", func(t *testing.T) {
		open, naive := unlocked(a.other), betterAuth{a.other}
		for name, call := range map[string]func(id func(string, int) string) error{
			"invited without locks": func(id func(string, int) string) error {
				return kit.ErrOf(invite(open, id, "ada@example.com"))
			},
			"invited by eight who check first": func(id func(string, int) string) error {
				return naive.invite(ctx, id("o", 0), id("w", 0), "ada@example.com")
			},
		} {
			goesWrong(t, name, func(int) int {
				id := a.seed(t, 1, seedOrganizations, seedTeams)
				kit.AtOnce(8, func(int) error { return call(id) })
				return a.number(t, pendingTo, id("o", 0), "ada@example.com") - 1
			})
		}
	})
}

// TestRaceMembers: a user is a member once, of an organization and of a team, and counts once.
func TestRaceMembers(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 200)
	add := func(s *authdb.Store, org, user string) error {
		return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org, UserID: user}))
	}
	t.Run("of an organization", func(t *testing.T) {
		id := a.seed(t, 1, seedOrganizations, seedUsers)
		errs := kit.AtOnce(n, func(int) error { return add(a.Store, id("o", 0), id("u", 0)) })
		if ok := kit.Succeeded(t, errs, authdb.ErrAlreadyMember); ok != 1 {
			t.Errorf("%d of %d succeeded", ok, n)
		}
		a.zero(t, membersTwice)
		t.Logf("%d calls", n)
	})
	t.Run("of a team", func(t *testing.T) {
		id := a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers)
		errs := kit.AtOnce(n, func(int) error {
			return kit.ErrOf(a.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
				OrganizationID: id("o", 0), TeamID: id("t", 0), UserID: id("u", 0), MaxMembers: 1,
			}))
		})
		seats := a.number(t, `SELECT member_count FROM team WHERE id = $1`, id("t", 0))
		if ok := kit.Succeeded(t, errs); ok != n || seats != 1 {
			t.Errorf("%d of %d succeeded, %d seats", ok, n, seats)
		}
		a.zero(t, seatsTwice, seatsWrong)
		t.Logf("%d calls", n)
	})
	t.Run("of an organization, one and many at a time", func(t *testing.T) {
		for range kit.Hard(t, 3, 30) {
			id, made := a.seed(t, 40, seedOrganizations, seedUsers), make([]int, 12)
			errs := kit.AtOnce(12, func(i int) error {
				if i%2 == 0 {
					made[i] = 1
					return add(a.Store, id("o", 0), id("u", i))
				}
				ps := make([]authdb.CreateMemberParams, 35)
				for j := range ps {
					ps[j] = authdb.CreateMemberParams{OrganizationID: id("o", 0), UserID: id("u", 39-j)}
				}
				if i%4 == 1 { // in whatever order they are given
					slices.Reverse(ps)
				}
				made[i] = len(ps)
				return kit.ErrOf(a.Members.CreateMany(ctx, ps))
			})
			want := 1
			for i, err := range errs {
				if err == nil {
					want += made[i]
				}
			}
			kit.Succeeded(t, errs, authdb.ErrAlreadyMember)
			if got := a.number(t, `SELECT count(*) FROM member WHERE organization_id = $1`, id("o", 0)); got != want {
				t.Errorf("%d members, want %d", got, want)
			}
		}
		a.zero(t, membersTwice)
	})
	t.Run("of an organization, many at a time in opposite orders", func(t *testing.T) {
		for range kit.Hard(t, 5, 50) {
			const users = 100
			id := a.seed(t, users, seedOrganizations, seedUsers)
			errs := kit.AtOnce(2, func(i int) error {
				ps := make([]authdb.CreateMemberParams, users)
				for j := range ps {
					ps[j] = authdb.CreateMemberParams{OrganizationID: id("o", 0), UserID: id("u", []int{j, users - 1 - j}[i])}
				}
				return kit.ErrOf(a.Members.CreateMany(ctx, ps))
			})
			if ok := kit.Succeeded(t, errs, authdb.ErrAlreadyMember); ok != 1 {
				t.Errorf("%d of 2 succeeded: %v", ok, errs)
			}
		}
		a.zero(t, membersTwice)
	})
	t.Run("of a team, one and many at a time", func(t *testing.T) {
		for range kit.Hard(t, 3, 30) {
			id := a.seed(t, 12, seedOrganizations, seedTeams, seedUsers)
			kit.Exec(t, a.Store, `INSERT INTO member (id, organization_id, user_id, role, created_at)
				SELECT id, $1, id, 'member', now() FROM "user" WHERE id LIKE $2`, id("o", 0), strings.TrimSuffix(id("u", 0), "1")+"%")
			errs := kit.AtOnce(12, func(i int) error {
				users := []string{id("u", i), id("u", (i+1)%12), id("u", (i+5)%12)}
				if i%3 == 0 {
					slices.Reverse(users)
				}
				return kit.ErrOf(a.TeamMembers.CreateMany(ctx, kit.SeatsOf(id("o", 0), id("t", 0), 0, users[:1+i%3]...)))
			})
			if ok := kit.Succeeded(t, errs); ok != 12 {
				t.Errorf("%d of 12 succeeded", ok)
			}
		}
		a.zero(t, seatsTwice, seatsWrong, seatsOfOthers)
	})
	t.Run("control", func(t *testing.T) {
		b := bare(t)
		naive, open := betterAuth{b.other}, unlocked(b.other)
		goesWrong(t, "members by eight who check first", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedUsers)
			kit.AtOnce(8, func(int) error { return naive.addMember(ctx, id("o", 0), id("u", 0), 0) })
			return b.number(t, membersTwice)
		})
		goesWrong(t, "members without the index", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedUsers)
			kit.AtOnce(8, func(int) error { return add(b.Store, id("o", 0), id("u", 0)) })
			return b.number(t, membersTwice)
		})
		goesWrong(t, "team members without locks and index", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers)
			kit.AtOnce(8, func(int) error {
				return kit.ErrOf(open.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
					OrganizationID: id("o", 0), TeamID: id("t", 0), UserID: id("u", 0),
				}))
			})
			return b.number(t, seatsTwice)
		})
	})
}

// TestRaceTeamMembership: nobody is in a team, or has an organization or a team active, without being a member.
func TestRaceTeamMembership(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 25, 300)
	join := func(s *authdb.Store, id func(string, int) string, i int) error {
		return kit.ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: id("o", i), TeamID: id("t", i), UserID: id("u", i),
		}))
	}

	t.Run("joins and is removed", func(t *testing.T) {
		id, joined := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers), atomic.Int64{}
		rounds(n, func(i int) {
			one, two := both(func() error { return join(a.Store, id, i) },
				func() error {
					return a.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: id("o", i), MemberID: id("m", i)})
				})
			kit.Succeeded(t, []error{one}, authdb.ErrNotMember)
			kit.Succeeded(t, []error{two})
			if one == nil {
				joined.Add(1)
			}
		})
		a.zero(t, seatsOfOthers, seatsWrong)
		t.Logf("%d rounds: %d joined first", n, joined.Load())
	})

	// The row that joining returns is one that there was, also where it was there before and goes at the same moment.
	t.Run("joins again and leaves the team", func(t *testing.T) {
		n := 3 * n
		id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats)
		rounds(n, func(i int) {
			one, two := both(func() error { return join(a.Store, id, i) },
				func() error { return a.TeamMembers.DeleteByUser(ctx, id("o", i), id("t", i), id("u", i)) })
			kit.Succeeded(t, []error{one, two})
		})
		a.zero(t, seatsOfOthers, seatsWrong)
		t.Logf("%d rounds", n)
	})

	t.Run("leaves the team and is deleted", func(t *testing.T) {
		id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats)
		rounds(n, func(i int) {
			one, two := both(func() error { return a.TeamMembers.DeleteByUser(ctx, id("o", i), id("t", i), id("u", i)) },
				func() error { return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", i)})) })
			kit.Succeeded(t, []error{one}, authdb.ErrNotFound)
			kit.Succeeded(t, []error{two})
		})
		a.zero(t, seatsWrong)
		t.Logf("%d rounds", n)
	})
	t.Run("leaves the team while deleted", func(t *testing.T) {
		id := a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats)
		kit.Exec(t, a.Store, `WITH boss AS (UPDATE team SET member_count = 2 WHERE id = $1)
			INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ($2, $1, $2, now())`, id("t", 0), id("w", 0))
		tx := a.begin(t)
		if err := authdb.New(tx).TeamMembers.DeleteByUser(ctx, id("o", 0), id("t", 0), id("u", 0)); err != nil {
			t.Fatal(err)
		}
		err := a.waits(t, func() error {
			return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", 0)}))
		}).afterwards(t, tx.Commit)
		if seats := a.number(t, `SELECT member_count FROM team WHERE id = $1`, id("t", 0)); err != nil || seats != 1 {
			t.Errorf("%v; %d seats of 1 team member", err, seats)
		}
		kit.Exec(t, a.Store, `DELETE FROM organization WHERE id = $1`, id("o", 0))
	})

	t.Run("leaves a team that goes", func(t *testing.T) {
		id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats)
		began := time.Now()
		rounds(n, func(i int) {
			one, two := both(func() error { return a.TeamMembers.DeleteByUser(ctx, id("o", i), id("t", i), id("u", i)) },
				func() error {
					return a.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", i), TeamID: id("t", i)})
				})
			kit.Succeeded(t, []error{one}, authdb.ErrNotFound)
			kit.Succeeded(t, []error{two})
		})
		a.zero(t, seatsWrong)
		t.Logf("%d rounds in %v", n, time.Since(began).Round(time.Millisecond))
	})

	activate := func(s *authdb.Store, id func(string, int) string, i int) error {
		return kit.ErrOf(s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: id("u", i), Token: authdb.Secret(id("k", i)), OrganizationID: id("o", i),
		}))
	}
	activateTeam := func(s *authdb.Store, id func(string, int) string, i int) error {
		return kit.ErrOf(s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{
			UserID: id("u", i), Token: authdb.Secret(id("k", i)), TeamID: id("t", i),
		}))
	}
	leaves := []struct {
		name string
		call func(s *authdb.Store, id func(string, int) string, i int) error
	}{
		{"Members.Delete", func(s *authdb.Store, id func(string, int) string, i int) error {
			return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: id("o", i), MemberID: id("m", i)})
		}},
		{"TeamMembers.Delete", func(s *authdb.Store, id func(string, int) string, i int) error {
			return s.TeamMembers.DeleteByUser(ctx, id("o", i), id("t", i), id("u", i))
		}},
		{"Teams.Delete", func(s *authdb.Store, id func(string, int) string, i int) error {
			return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", i), TeamID: id("t", i)})
		}},
		{"Organizations.Delete", func(s *authdb.Store, id func(string, int) string, i int) error {
			return kit.ErrOf(s.Organizations.Delete(ctx, id("o", i)))
		}},
		{"Users.Delete of the owner", func(s *authdb.Store, id func(string, int) string, i int) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("w", i), DeleteOrganizations: true}))
		}},
	}
	setActiveTo := func(t *testing.T, id func(string, int) string) {
		t.Helper()
		kit.Exec(t, a.Store, `UPDATE session SET active_organization_id = replace(user_id, 'u', 'o') WHERE user_id LIKE $1`,
			strings.TrimSuffix(id("u", 0), "1")+"%")
	}
	for _, leave := range leaves {
		t.Run("activates during "+leave.name, func(t *testing.T) {
			id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats, seedSessions)
			rounds(n, func(i int) {
				one, two := both(func() error { return activate(a.Store, id, i) }, func() error { return leave.call(a.Store, id, i) })
				kit.Succeeded(t, []error{one}, authdb.ErrNotMember)
				kit.Succeeded(t, []error{two})
			})
			a.zero(t, activeOfOthers, seatsWrong)

			id = a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats, seedSessions)
			setActiveTo(t, id)
			rounds(n, func(i int) {
				one, two := both(func() error { return activateTeam(a.Store, id, i) }, func() error { return leave.call(a.Store, id, i) })
				kit.Succeeded(t, []error{one}, authdb.ErrNotMember)
				kit.Succeeded(t, []error{two})
			})
			a.zero(t, activeOfOthers, seatsWrong)
			t.Logf("%d rounds", 2*n)
		})
		t.Run(leave.name+" waits for an activation", func(t *testing.T) {
			id := a.seed(t, 2, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats, seedSessions)
			kit.Exec(t, a.Store, `UPDATE session SET active_organization_id = $1 WHERE token = $2`, id("o", 1), id("k", 1))
			for i, set := range []func(*authdb.Store, func(string, int) string, int) error{activate, activateTeam} {
				if i == 0 && strings.HasPrefix(leave.name, "Team") {
					continue // the organization stays
				}
				tx := a.begin(t)
				if err := set(authdb.New(tx), id, i); err != nil {
					t.Fatal(err)
				}
				if err := a.waits(t, func() error { return leave.call(a.Store, id, i) }).afterwards(t, tx.Commit); err != nil {
					t.Error(err)
				}
			}
			a.zero(t, activeOfOthers, seatsWrong)
		})
	}

	t.Run("the last two teams go", func(t *testing.T) {
		id := a.seed(t, n, seedOrganizations, seedTeams)
		rounds(n, func(i int) {
			one, two := both(
				func() error {
					return a.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", i), TeamID: id("s", i)})
				},
				func() error {
					return a.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", i), TeamID: id("t", i)})
				})
			if kit.Succeeded(t, []error{one, two}, authdb.ErrLastTeam) != 1 {
				t.Errorf("round %d: %v, %v", i, one, two)
			}
		})
		a.zero(t, `SELECT count(*) FROM organization o WHERE id LIKE '`+strings.TrimSuffix(id("o", 0), "1")+`%'
			AND (SELECT count(*) FROM team WHERE organization_id = o.id) <> 1`)
		t.Logf("%d rounds", n)
	})

	t.Logf("%d deadlocks, of which no caller heard", a.deadlocks(t))

	t.Run("control", func(t *testing.T) {
		b := newArena(t, 16)
		open := unlocked(b.other)
		goesWrong(t, "joins and is removed without locks", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers)
			_, _ = both(func() error { return join(open, id, 0) }, func() error {
				return open.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: id("o", 0), MemberID: id("m", 0)})
			})
			return b.number(t, seatsOfOthers)
		})
		for i, set := range []func(*authdb.Store, func(string, int) string, int) error{activate, activateTeam} {
			goesWrong(t, leaves[2*i].name+" during an activation without locks", func(int) int {
				id := b.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers, seedSeats, seedSessions)
				kit.Exec(t, b.Store, `UPDATE session SET active_organization_id = $1 WHERE token = $2`, []any{nil, id("o", 0)}[i], id("k", 0))
				_, _ = both(func() error { return set(open, id, 0) }, func() error { return leaves[2*i].call(open, id, 0) })
				return b.number(t, activeOfOthers)
			})
		}
		goesWrong(t, "the last two teams without locks", func(int) int {
			id := b.seed(t, 1, seedOrganizations, seedTeams)
			_, _ = both(
				func() error {
					return open.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", 0), TeamID: id("s", 0)})
				},
				func() error {
					return open.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", 0), TeamID: id("t", 0)})
				})
			return b.number(t, `SELECT 1 - least(count(*), 1) FROM team WHERE organization_id = $1`, id("o", 0))
		})
	})
}

// Of the user u: a seat in the team t, which counts, and a session with the token k.
const (
	seedSeats = `WITH counted AS (UPDATE team SET member_count = 1 WHERE id LIKE $1::text || 't%')
		INSERT INTO team_member (id, team_id, user_id, created_at)
		SELECT $1 || 'z' || n, $1 || 't' || n, $1 || 'u' || n, now() FROM generate_series(1, $2::int) n`
	seedSessions = `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
		SELECT $1::text || 'k' || n, now() + interval '1 hour', $1 || 'k' || n, now() - interval '7 days', now(), '', '',
			$1 || 'u' || n
		FROM generate_series(1, $2::int) n`
	seedAccounts = `INSERT INTO account (id, account_id, provider_id, user_id, created_at, updated_at)
		SELECT $1::text || letter || n, $1 || n, 'provider ' || letter, $1 || 'u' || n, now(), now()
		FROM generate_series(1, $2::int) n, unnest('{a,b}'::text[]) letter`
)

// TestRaceAccounts: an identity is one user's, and a user keeps a way to sign in.
func TestRaceAccounts(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 300)
	link := func(s *authdb.Store, user, account string) error {
		return kit.ErrOf(s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: user, ProviderID: "github", AccountID: account, AccessToken: (*authdb.Secret)(&user),
		}))
	}
	t.Run("one identity for many users", func(t *testing.T) {
		id, identity := a.seed(t, n, seedUsers), kit.NewID()
		errs := kit.AtOnce(2*n, func(i int) error { return link(a.Store, id("u", i%n), identity) })
		owner := kit.Must[authdb.AccountWithUser](t)(a.Accounts.GetWithUserByProvider(ctx, "github", identity))
		for i, err := range errs {
			if (err == nil) != (id("u", i%n) == owner.UserID) {
				t.Errorf("user %d: %v; it is the owner: %v", i%n, err, id("u", i%n) == owner.UserID)
			}
		}
		if ok := kit.Succeeded(t, errs, authdb.ErrAccountTaken); ok != 2 || string(*owner.AccessToken) != owner.UserID {
			t.Errorf("%d of 2 calls of the owner went well; token of %s", ok, *owner.AccessToken)
		}
		again := kit.Succeeded(t, kit.AtOnce(n, func(int) error { return link(a.Store, owner.UserID, identity) }))
		if rows := a.number(t, `SELECT count(*) FROM account WHERE account_id = $1`, identity); rows != 1 || again != n {
			t.Errorf("%d rows; %d of %d repetitions went well", rows, again, n)
		}
		t.Logf("%d calls by %d users: 1 row", 2*n, n)
	})

	unlink := func(s *authdb.Store, id func(string, int) string, i int) (error, error) {
		return both(func() error {
			return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: id("u", i), ID: id("a", i)})
		},
			func() error {
				return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: id("u", i), ID: id("b", i)})
			})
	}
	t.Run("the last two go", func(t *testing.T) {
		id := a.seed(t, n, seedUsers, seedAccounts)
		rounds(n, func(i int) {
			one, two := unlink(a.Store, id, i)
			if kit.Succeeded(t, []error{one, two}, authdb.ErrLastAccount) != 1 {
				t.Errorf("round %d: %v, %v", i, one, two)
			}
		})
		if left := a.number(t, `SELECT count(*) FROM account WHERE provider_id LIKE 'provider %'`); left != n {
			t.Errorf("%d accounts of %d users", left, n)
		}
		t.Logf("%d rounds", n)
	})
	t.Run("waits for a removal", func(t *testing.T) {
		id := a.seed(t, 2, seedUsers, seedAccounts)
		for i, want := range []error{authdb.ErrLastAccount, nil} {
			tx := a.begin(t)
			if _, err := tx.Exec(ctx, `DELETE FROM account WHERE id = $1`, id("a", i)); err != nil {
				t.Fatal(err)
			}
			end := map[bool]func(context.Context) error{true: tx.Commit, false: tx.Rollback}[want != nil]
			if err := a.waits(t, func() error {
				return a.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: id("u", i), ID: id("b", i)})
			}).afterwards(t, end); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
	})
	t.Run("control", func(t *testing.T) {
		b := bare(t)
		open, naive := unlocked(b.other), betterAuth{b.other}
		goesWrong(t, "the last two go without locks", func(int) int {
			id := b.seed(t, 1, seedUsers, seedAccounts)
			_, _ = unlink(open, id, 0)
			return b.number(t, `SELECT count(*) FROM "user" u WHERE NOT EXISTS (SELECT FROM account a WHERE a.user_id = u.id)`)
		})
		goesWrong(t, "one identity for eight who check first", func(int) int {
			id, identity := b.seed(t, 8, seedUsers), kit.NewID()
			kit.AtOnce(8, func(i int) error { return naive.link(ctx, id("u", i), identity) })
			return b.number(t, `SELECT count(*) - 1 FROM account WHERE account_id = $1`, identity)
		})
	})
}

// TestRaceVerifications: what proves something once does so once.
func TestRaceVerifications(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 200)
	create := func(t *testing.T, value string, rows int) (identifier string) {
		t.Helper()
		identifier = kit.NewID()
		for i := range rows {
			if i == rows-1 {
				kit.Must[authdb.Verification](t)(a.Verifications.Create(ctx, authdb.CreateVerificationParams{
					Identifier: authdb.Secret(identifier), Value: authdb.Secret(value), ExpiresAt: time.Now().Add(time.Hour),
				}))
				continue
			}
			kit.Exec(t, a.Store, `INSERT INTO verification (id, identifier, value, expires_at, created_at)
				VALUES ($1, $2, 'older', now() + interval '1 hour', now() - interval '1 minute')`, kit.NewID(), identifier)
		}
		return identifier
	}
	left := `SELECT count(*) FROM verification WHERE identifier = $1`
	guess := func(s *authdb.Store, identifier, code string) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(identifier), Code: authdb.Secret(code), MaxAttempts: 3})
	}
	t.Run("consumed", func(t *testing.T) {
		for _, rows := range []int{1, 3} {
			identifier := create(t, "value", rows)
			errs := kit.AtOnce(n, func(int) error { return kit.ErrOf(a.Verifications.Consume(ctx, authdb.Secret(identifier))) })
			if ok, rest := kit.Succeeded(t, errs, authdb.ErrNotFound), a.number(t, left, identifier); ok != 1 || rest != 0 {
				t.Errorf("%d rows: %d of %d calls succeeded, %d rows left", rows, ok, n, rest)
			}
			identifier = create(t, "value", rows)
			errs = kit.AtOnce(n, func(i int) error {
				return kit.ErrOf(a.Verifications.ConsumeValue(ctx, authdb.Secret(identifier), []authdb.Secret{"value", "older"}[i%2]))
			})
			if ok, rest := kit.Succeeded(t, errs, authdb.ErrNotFound), a.number(t, left, identifier); ok != 1 || rest != 0 {
				t.Errorf("%d rows by value: %d of %d calls succeeded, %d rows left", rows, ok, n, rest)
			}
		}
		t.Logf("%d calls each", n)
	})
	t.Run("consumed by a value that is being replaced", func(t *testing.T) {
		identifier, tx := create(t, "value", 1), a.begin(t)
		if _, err := tx.Exec(ctx, `UPDATE verification SET value = 'newer' WHERE identifier = $1`, identifier); err != nil {
			t.Fatal(err)
		}
		err := a.waits(t, func() error { return kit.ErrOf(a.Verifications.ConsumeValue(ctx, authdb.Secret(identifier), "value")) }).afterwards(t, tx.Commit)
		if rest := a.number(t, left, identifier); !errors.Is(err, authdb.ErrNotFound) || rest != 1 {
			t.Errorf("got %v, want ErrNotFound; %d rows left", err, rest)
		}
	})
	t.Run("the right code", func(t *testing.T) {
		identifier := create(t, "123456:0", 2)
		errs := kit.AtOnce(n, func(int) error { return guess(a.Store, identifier, "123456") })
		if ok, rest := kit.Succeeded(t, errs, authdb.ErrNotFound), a.number(t, left, identifier); ok != 1 || rest != 0 {
			t.Errorf("%d of %d calls succeeded, %d rows left", ok, n, rest)
		}
		t.Logf("%d calls", n)
	})
	t.Run("wrong codes", func(t *testing.T) {
		identifier := create(t, "123456:0", 2)
		wrong, refused := 0, 0
		for _, err := range kit.AtOnce(n, func(i int) error { return guess(a.Store, identifier, fmt.Sprint(i)) }) {
			switch {
			case errors.Is(err, authdb.ErrWrongCode):
				wrong++
			case errors.Is(err, authdb.ErrTooManyAttempts):
				refused++
			default:
				t.Errorf("unexpected: %v", err)
			}
		}
		right := guess(a.Store, identifier, "123456")
		counted := a.number(t, left+` AND value = '123456:3'`, identifier)
		if wrong != 3 || refused != n-3 || counted != 1 || !errors.Is(right, authdb.ErrTooManyAttempts) {
			t.Errorf("%d counted, %d refused, then the right one: %v", wrong, refused, right)
		}
		t.Logf("%d calls: %d counted", n, wrong)
	})
	t.Run("wrong codes while a code is made", func(t *testing.T) {
		round := func(store *authdb.Store) (forgotten int) {
			identifier, wrong := create(t, "123456:0", 1), 0
			for _, err := range kit.AtOnce(12, func(i int) error {
				if i == 6 {
					return kit.ErrOf(store.Verifications.Create(ctx, authdb.CreateVerificationParams{
						Identifier: authdb.Secret(identifier), Value: "654321:0", ExpiresAt: time.Now().Add(time.Hour),
					}))
				}
				return guess(store, identifier, "0")
			}) {
				if errors.Is(err, authdb.ErrWrongCode) {
					wrong++
				}
			}
			counted := `SELECT sum(split_part(value, ':', 2)::int) FROM verification WHERE identifier = $1`
			return wrong - a.number(t, counted, identifier)
		}
		for range kit.Hard(t, 40, 400) {
			if n := round(a.Store); n != 0 {
				t.Errorf("%d wrong codes were not counted", n)
			}
		}
		goesWrong(t, "guesses without locks", func(int) int { return round(unlocked(a.Pool())) })
	})
	t.Run("wrong codes and right ones", func(t *testing.T) {
		for range kit.Hard(t, 5, 50) {
			identifier, ok, wrong := create(t, "123456:0", 1), 0, 0
			for _, err := range kit.AtOnce(12, func(i int) error { return guess(a.Store, identifier, []string{"123456", "0"}[i%2]) }) {
				switch {
				case err == nil:
					ok++
				case errors.Is(err, authdb.ErrWrongCode):
					wrong++
				case !errors.Is(err, authdb.ErrTooManyAttempts) && !errors.Is(err, authdb.ErrNotFound):
					t.Errorf("unexpected: %v", err)
				}
			}
			if ok > 1 || wrong > 3 || (ok == 0) != (wrong == 3) {
				t.Errorf("%d right, %d wrong", ok, wrong)
			}
		}
	})
	t.Run("reserved", func(t *testing.T) {
		p := authdb.CreateVerificationParams{Identifier: authdb.Secret(kit.NewID()), Value: "x", ExpiresAt: time.Now().Add(time.Hour)}
		errs := kit.AtOnce(n, func(int) error { return a.Verifications.Reserve(ctx, p) })
		if ok, rows := kit.Succeeded(t, errs, authdb.ErrConflict), a.number(t, left, p.Identifier); ok != 1 || rows != 1 {
			t.Errorf("%d of %d calls succeeded, %d rows", ok, n, rows)
		}
		t.Logf("%d calls", n)
	})
	t.Run("control", func(t *testing.T) {
		open, naive := unlocked(a.other), betterAuth{a.other}
		goesWrong(t, "wrong codes without locks", func(int) int {
			identifier, wrong := create(t, "123456:0", 1), -3
			for _, err := range kit.AtOnce(16, func(i int) error { return guess(open, identifier, fmt.Sprint(i)) }) {
				if errors.Is(err, authdb.ErrWrongCode) {
					wrong++
				}
			}
			return wrong
		})
		goesWrong(t, "consumed by eight who read first", func(int) int {
			identifier := create(t, "value", 1)
			ok := 0
			for _, err := range kit.AtOnce(8, func(int) error { return naive.consume(ctx, identifier, false) }) {
				if err == nil {
					ok++
				}
			}
			return ok - 1
		})
	})
}

// TestRaceSessions: a session is prolonged once, none comes back, and a purge takes none that lives.
func TestRaceSessions(t *testing.T) {
	t.Parallel()
	a := newArena(t, 16)
	ctx, n := t.Context(), kit.Hard(t, 40, 1_000)
	refresh := func(s *authdb.Store, token string) (authdb.RefreshedSession, error) {
		return s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret(token)})
	}

	t.Run("many refresh", func(t *testing.T) {
		calls, id := kit.Hard(t, 60, 200), a.seed(t, 1, seedUsers, seedSessions)
		kit.Exec(t, a.Store, `CREATE TABLE write (token text);
			CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO write VALUES (NEW.token); RETURN NULL; END $$;
			CREATE TRIGGER note_write AFTER UPDATE ON session FOR EACH ROW EXECUTE FUNCTION note_write()`)
		var refreshed atomic.Int64
		errs := kit.AtOnce(calls, func(int) error {
			got, err := refresh(a.Store, id("k", 0))
			if got.Refreshed {
				refreshed.Add(1)
			}
			if err == nil && time.Until(got.ExpiresAt) < authdb.SessionLifetime-authdb.SessionUpdateAge {
				return fmt.Errorf("returned as it was before, until %v", got.ExpiresAt)
			}
			return err
		})
		writes := a.number(t, `SELECT count(*) FROM write`)
		if ok := kit.Succeeded(t, errs); ok != calls || refreshed.Load() != 1 || writes != 1 {
			t.Errorf("%d of %d ok, %d refreshed, %d writes", ok, calls, refreshed.Load(), writes)
		}
		kit.Exec(t, a.Store, `DROP TRIGGER note_write ON session`)
		t.Logf("%d calls: %d write", calls, writes)
	})

	for _, revoke := range []struct {
		name string
		call func(id func(string, int) string, i int) error
	}{
		{"DeleteByToken", func(id func(string, int) string, i int) error {
			return a.Sessions.DeleteByToken(ctx, authdb.Secret(id("k", i)))
		}},
		{"DeleteByUser", func(id func(string, int) string, i int) error {
			return kit.ErrOf(a.Sessions.DeleteByUser(ctx, id("u", i)))
		}},
	} {
		t.Run("refreshed during "+revoke.name, func(t *testing.T) {
			id, prolonged := a.seed(t, n, seedUsers, seedSessions), atomic.Int64{}
			rounds(n, func(i int) {
				one, two := both(func() error { return kit.ErrOf(refresh(a.Store, id("k", i))) }, func() error { return revoke.call(id, i) })
				kit.Succeeded(t, []error{one}, authdb.ErrNotFound)
				kit.Succeeded(t, []error{two})
				if one == nil {
					prolonged.Add(1)
				}
			})
			if alive := a.number(t, `SELECT count(*) FROM session WHERE id LIKE $1`, strings.TrimSuffix(id("k", 0), "1")+"%"); alive != 0 {
				t.Errorf("%d revoked sessions are alive", alive)
			}
			t.Logf("%d rounds: %d refreshed first, 0 alive", n, prolonged.Load())
		})
	}

	t.Run("signs in during DeleteByUser", func(t *testing.T) {
		signIn := func(s *authdb.Store, user string) (authdb.Session, error) {
			return s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user})
		}
		users, survivors := kit.Hard(t, 20, 200), atomic.Int64{}
		id := a.seed(t, users, seedUsers)
		rounds(users, func(i int) {
			var called atomic.Bool
			var mu sync.Mutex
			one, once := make(chan struct{}), sync.Once{}
			before, all, gone := map[string]bool{}, map[string]bool{}, map[string]bool{}
			errs := kit.AtOnce(5, func(j int) error {
				if j == 4 {
					<-one
					called.Store(true)
					rows, err := a.Sessions.DeleteByUser(ctx, id("u", i))
					for _, row := range rows {
						gone[row.ID] = true
					}
					return err
				}
				for range 4 {
					session, err := signIn(a.Store, id("u", i))
					once.Do(func() { close(one) })
					if err != nil {
						return err
					}
					mu.Lock()
					all[session.ID] = true
					if !called.Load() {
						before[session.ID] = true
					}
					mu.Unlock()
				}
				return nil
			})
			kit.Succeeded(t, errs)
			alive := 0
			for session := range all {
				_, err := a.Sessions.Get(ctx, id("u", i), session)
				if lives := err == nil; lives == gone[session] || (lives && before[session]) {
					t.Errorf("round %d: alive %v, returned as gone %v, made before %v", i, lives, gone[session], before[session])
				} else if lives {
					alive++
				}
			}
			survivors.Add(int64(alive))
		})
		t.Logf("%d rounds of 16 sign-ins: %d after it", users, survivors.Load())

		// A sign-in that has not ended yet is waited for, and goes.
		user, tx := id("u", 0), a.begin(t)
		kit.Exec(t, a.Store, `DELETE FROM session WHERE user_id = $1`, user)
		made := kit.Must[authdb.Session](t)(signIn(authdb.New(tx), user))
		var gone []authdb.Session
		err := a.waits(t, func() (err error) { gone, err = a.Sessions.DeleteByUser(ctx, user); return err }).afterwards(t, tx.Commit)
		if err != nil || len(gone) != 1 || gone[0].ID != made.ID {
			t.Errorf("%v; gone: %v", err, gone)
		}
		// One that begins while it is under way waits, and stays.
		tx = a.begin(t)
		kit.Must[[]authdb.Session](t)(authdb.New(tx).Sessions.DeleteByUser(ctx, user))
		if err := a.waits(t, func() error { return kit.ErrOf(signIn(a.Store, user)) }).afterwards(t, tx.Commit); err != nil {
			t.Error(err)
		}
		if alive := a.number(t, `SELECT count(*) FROM session WHERE user_id = $1`, user); alive != 1 {
			t.Errorf("%d sessions, want the one made after", alive)
		}
	})

	// The clock of who purges is ahead, so that a session is over for it which another still prolongs: in each round
	// the one that ends then.
	t.Run("refreshed during DeleteExpired", func(t *testing.T) {
		id, prolonged := a.seed(t, n, seedUsers, seedSessions), 0
		kit.Exec(t, a.Store, `UPDATE session SET expires_at = now() + interval '300 days'`)
		for i := range n {
			kit.Exec(t, a.Store, `UPDATE session SET expires_at = now() + ($1 || ' hours')::interval WHERE id = $2`, fmt.Sprint(i+1), id("k", i))
			hour := time.Duration(i+1) * time.Hour
			one, two := both(func() error { return kit.ErrOf(refresh(a.at(hour-30*time.Minute), id("k", i))) }, func() error {
				return kit.ErrOf(a.at(hour+30*time.Minute).Sessions.DeleteExpired(ctx, 10))
			})
			kit.Succeeded(t, []error{one}, authdb.ErrNotFound)
			kit.Succeeded(t, []error{two})
			alive := a.number(t, `SELECT count(*) FROM session WHERE id = $1`, id("k", i))
			if (one == nil) != (alive == 1) {
				t.Errorf("round %d: refresh %v; %d sessions left", i, one, alive)
			}
			prolonged += alive
			kit.Exec(t, a.Store, `DELETE FROM session WHERE id = $1`, id("k", i))
		}
		t.Logf("%d rounds: %d refreshed, all of them alive", n, prolonged)
	})
	t.Run("many DeleteExpired", func(t *testing.T) {
		late := a.at(2 * time.Hour)
		kit.Exec(t, a.Store, `DELETE FROM session`)
		const busy = 10
		id, tx := a.seed(t, n, seedUsers, seedSessions), a.begin(t)
		for i := range busy { // somebody works on some of them
			if _, err := tx.Exec(ctx, `UPDATE session SET ip_address = 'x' WHERE id = $1`, id("k", i)); err != nil {
				t.Fatal(err)
			}
		}
		var deleted atomic.Int64
		purges := func() {
			kit.Succeeded(t, kit.AtOnce(4, func(int) error {
				for {
					ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
					n, err := late.Sessions.DeleteExpired(ctx, 7)
					cancel()
					deleted.Add(n)
					if err != nil || n == 0 {
						return err
					}
				}
			}))
		}
		purges()
		if deleted.Load() != int64(n-busy) {
			t.Errorf("%d deleted of %d while %d were locked", deleted.Load(), n, busy)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
		purges()
		if deleted.Load() != int64(n) {
			t.Errorf("%d deleted of %d", deleted.Load(), n)
		}
		t.Logf("%d sessions by four at once", n)
	})

	t.Run("control", func(t *testing.T) {
		open := unlocked(a.other)
		goesWrong(t, "refreshed by an upsert during DeleteByToken", func(int) int {
			id := a.seed(t, 1, seedUsers, seedSessions)
			_, _ = both(func() error {
				var user string
				if err := a.other.QueryRow(ctx, `SELECT user_id FROM session WHERE token = $1`, id("k", 0)).Scan(&user); err != nil {
					return err
				}
				_, err := a.other.Exec(ctx, `INSERT INTO session (id, token, user_id, expires_at, updated_at)
					VALUES ($1, $1, $2, now() + interval '7 days', now()) ON CONFLICT (token) DO UPDATE SET expires_at = excluded.expires_at`,
					id("k", 0), user)
				return err
			}, func() error { return a.Sessions.DeleteByToken(ctx, authdb.Secret(id("k", 0))) })
			return a.number(t, `SELECT count(*) FROM session WHERE token = $1`, id("k", 0))
		})
		goesWrong(t, "signs in during DeleteByUser without its lock", func(int) int {
			id, tx := a.seed(t, 1, seedUsers), a.begin(t)
			kit.Must[authdb.Session](t)(authdb.New(tx).Sessions.Create(ctx, authdb.CreateSessionParams{UserID: id("u", 0)}))
			_, err := open.Sessions.DeleteByUser(ctx, id("u", 0))
			if err := errors.Join(err, tx.Commit(ctx)); err != nil {
				t.Error(err)
			}
			return a.number(t, `SELECT count(*) FROM session WHERE user_id = $1`, id("u", 0))
		})
		goesWrong(t, "refreshed during a purge by ids", func(int) int {
			id := a.seed(t, 1, seedUsers, seedSessions)
			one, _ := both(func() error { return kit.ErrOf(refresh(a.Store, id("k", 0))) }, func() error {
				rows, _ := a.other.Query(ctx, `SELECT id FROM session WHERE user_id = $1 AND expires_at <= now() + interval '2 hours' LIMIT 100`, id("u", 0))
				ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err == nil {
					_, err = a.other.Exec(ctx, `DELETE FROM session WHERE id = ANY($1)`, ids)
				}
				return err
			})
			if one != nil {
				return 0
			}
			return 1 - a.number(t, `SELECT count(*) FROM session WHERE token = $1`, id("k", 0))
		})
	})
}
