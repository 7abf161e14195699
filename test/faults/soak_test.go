package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// What there is, and how much there may be of it in an organization or a team.
const (
	soakUsers, soakOrganizations              = 48, 6
	maxMembers, maxTeams, maxSeats, maxOffers = 12, 5, 6, 6
	skew                                      = 5 * time.Minute // that clocks jump by, either way
)

const soakSetup = `
	INSERT INTO "user" (id, name, email, email_verified) SELECT 'u' || n, '', 'u' || n || '@example.com', true FROM generate_series(0, 47) n;
	INSERT INTO organization (id, name, slug, created_at) SELECT 'o' || n, '', 'o' || n, now() FROM generate_series(0, 5) n;
	INSERT INTO member (id, organization_id, user_id, role, created_at)
		SELECT format('o%s-u%s', n, m), 'o' || n, 'u' || m, 'owner', now() FROM generate_series(0, 5) n, generate_series(0, 2) m;
	CREATE SCHEMA watch;
	CREATE TABLE watch.decided (id text NOT NULL, before text NOT NULL);
	CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO watch.decided VALUES (NEW.id, OLD.status); RETURN NULL; END $$;
	CREATE TRIGGER watch AFTER UPDATE ON invitation FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION watch.note();
`

// invariants count what must not be, whenever one looks, in organizations whose id is like $orgs. breaks makes some.
var invariants = []struct{ name, sql, breaks string }{
	{
		"an organization without an owner",
		`SELECT count(*) FROM organization o WHERE o.id LIKE $orgs AND NOT EXISTS (
		SELECT FROM member m WHERE m.organization_id = o.id AND 'owner' = ANY (string_to_array(m.role, ',')))`,
		`UPDATE member SET role = 'member,admin' WHERE organization_id = 'o0'`,
	},
	{
		"more members than the limit",
		`SELECT count(*) FROM (SELECT FROM member WHERE organization_id LIKE $orgs
		GROUP BY organization_id HAVING count(*) > $members) o`,
		`INSERT INTO member (id, organization_id, user_id, role, created_at) SELECT 'x' || n, 'o0', 'u' || n, 'member', now() FROM generate_series(3, 12) n`,
	},
	{
		"an address with two offers",
		`SELECT count(*) FROM (SELECT FROM invitation WHERE organization_id LIKE $orgs AND status = 'pending'
		GROUP BY organization_id, email HAVING count(*) > 1) i`,
		`INSERT INTO invitation (id, organization_id, email, expires_at, created_at, inviter_id) SELECT n, 'o0', 'x', now(), now(), 'u0' FROM generate_series(1, 2) n`,
	},
	{
		"more offers than the limit",
		`SELECT count(*) FROM (SELECT FROM invitation WHERE organization_id LIKE $orgs AND status = 'pending'
		GROUP BY organization_id HAVING count(*) > $offers) i`,
		`INSERT INTO invitation (id, organization_id, email, expires_at, created_at, inviter_id) SELECT n, 'o0', n, now(), now(), 'u0' FROM generate_series(1, 7) n`,
	},
	{
		"more teams than the limit",
		`SELECT count(*) FROM (SELECT FROM team GROUP BY organization_id HAVING count(*) > $teams) t`,
		`INSERT INTO team (id, name, organization_id, created_at) SELECT n, '', 'o0', now() FROM generate_series(1, 6) n`,
	},
	{
		"more seats than the limit",
		`SELECT count(*) FROM (SELECT FROM team_member GROUP BY team_id HAVING count(*) > $seats) s`,
		`INSERT INTO team (id, name, organization_id, created_at) VALUES ('t', '', 'o0', now());
		INSERT INTO team_member (id, team_id, user_id) SELECT n, 't', 'u' || n FROM generate_series(1, 7) n`,
	},
	{
		"a member or a seat twice",
		`SELECT (SELECT count(*) FROM (SELECT FROM member GROUP BY organization_id, user_id HAVING count(*) > 1) m)
		+ (SELECT count(*) FROM (SELECT FROM team_member GROUP BY team_id, user_id HAVING count(*) > 1) s)`,
		`DROP INDEX "member_organizationId_userId_uidx"; INSERT INTO member SELECT 'x', organization_id, user_id, role, created_at FROM member LIMIT 1`,
	},
	{
		"a seat of who is no member",
		`SELECT count(*) FROM team_member s JOIN team t ON t.id = s.team_id WHERE NOT EXISTS (
		SELECT FROM member m WHERE m.organization_id = t.organization_id AND m.user_id = s.user_id)`,
		`INSERT INTO team (id, name, organization_id, created_at) VALUES ('t', '', 'o0', now());
		INSERT INTO team_member (id, team_id, user_id) VALUES ('x', 't', 'u40')`,
	},
	{
		"a team that counts its seats wrong",
		`SELECT count(*) FROM team t WHERE member_count <> (SELECT count(*) FROM team_member s WHERE s.team_id = t.id)`,
		`INSERT INTO team (id, name, organization_id, created_at, member_count) VALUES ('t', '', 'o0', now(), 1)`,
	},
	{
		"a session active where its user is no member",
		`SELECT count(*) FROM session s WHERE active_organization_id IS NOT NULL AND NOT EXISTS (
		SELECT FROM member m WHERE m.organization_id = s.active_organization_id AND m.user_id = s.user_id)`,
		`INSERT INTO session (id, token, user_id, expires_at, updated_at, active_organization_id) VALUES ('x', 'x', 'u40', now(), now(), 'o0')`,
	},
	{
		"an invitation decided twice",
		`SELECT count(*) FROM watch.decided WHERE before <> 'pending'`,
		`INSERT INTO invitation (id, organization_id, email, expires_at, created_at, inviter_id) VALUES ('x', 'o0', 'x', now(), now(), 'u0');
		UPDATE invitation SET status = 'accepted'; UPDATE invitation SET status = 'canceled'`,
	},
}

// What the workers themselves see must not be, beside those.
const (
	deadOpens    = "a session that was revoked, or has expired, opens"
	codeTwice    = "a code that opens twice, or takes more guesses"
	falseVerdict = "a verdict that is not so"
	unexpected   = "an error that none should be" // no invariant, but as wrong
)

// soak is a server with everything going on at once.
type soak struct {
	stores  []*authdb.Store
	offsets []atomic.Int64
	admin   *pgxpool.Pool

	calls, done, cut, unknown atomic.Int64

	mu         sync.Mutex
	violations map[string]int
	examples   map[string]string
}

func (s *soak) violate(what, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations[what]++
	s.examples[what] = fmt.Sprintf(format, args...)
}

func (s *soak) store() *authdb.Store { return s.stores[rand.IntN(len(s.stores))] }

// expected are the errors that calls may meet, beside that of a context.
var expected = []error{
	authdb.ErrNotFound, authdb.ErrConflict, authdb.ErrReference, authdb.ErrNotMember, authdb.ErrNotPermitted, authdb.ErrLastOwner,
	authdb.ErrLastAccount, authdb.ErrLimitReached, authdb.ErrNotPending, authdb.ErrWrongCode, authdb.ErrTooManyAttempts,
	authdb.ErrCommitUnknown, authdb.ErrUnavailable, context.Canceled, context.DeadlineExceeded,
}

// call makes a call, some of them under a context that is over at any moment, and returns whether it succeeded.
func (s *soak) call(ctx context.Context, run func(ctx context.Context) error) (ok bool, err error) {
	s.calls.Add(1)
	if rand.IntN(4) == 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, rand.N(4*time.Millisecond))
		defer stop()
	}
	err = run(ctx)
	if ctx.Err() != nil {
		s.cut.Add(1)
	}
	if err != nil && !slices.ContainsFunc(expected, func(kind error) bool { return errors.Is(err, kind) }) {
		s.violate(unexpected, "%v", err)
	}
	if err == nil {
		s.done.Add(1)
	}
	return err == nil, err
}

func anyOf(prefix string, n int) string { return fmt.Sprint(prefix, rand.IntN(n)) }

// deeds are what a worker does, at random.
var deeds = []func(s *soak, ctx context.Context){
	(*soak).user, (*soak).user, (*soak).session, (*soak).session, (*soak).code, (*soak).member, (*soak).member, (*soak).role,
	(*soak).invite, (*soak).decide, (*soak).decide, (*soak).team, (*soak).seat, (*soak).account, (*soak).read,
}

// user makes one, and holds what is said of that against what is so.
func (s *soak) user(ctx context.Context) {
	id, store := made(), s.store()
	_, err := s.call(ctx, func(ctx context.Context) error {
		_, err := store.Users.Create(ctx, authdb.CreateUserParams{ID: id, Email: id + "@example.com"})
		return err
	})
	var outcome authdb.Outcome
	var askErr error
	for range 100 { // the connection that asks may be ended, too
		if outcome, askErr = s.stores[0].Resolve(ctx, err); outcome != authdb.OutcomeUnknown || !errors.Is(askErr, authdb.ErrUnavailable) {
			break
		}
	}
	if outcome == authdb.OutcomeUnknown {
		s.unknown.Add(1)
		return
	}
	var is bool
	if err := s.admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM "user" WHERE id = $1)`, id).Scan(&is); err != nil {
		s.violate(unexpected, "%v", err)
	} else if is != (outcome == authdb.OutcomeApplied) {
		s.violate(falseVerdict, "%v (%v), and the row is there: %v", outcome, err, is)
	}
}

// session revokes one that is prolonged meanwhile, and tries one that has expired.
func (s *soak) session(ctx context.Context) {
	p := authdb.CreateSessionParams{UserID: anyOf("u", soakUsers)}
	dead := rand.IntN(4) == 0
	if dead {
		p.ExpiresAt = time.Now().Add(-2 * skew)
	}
	var session authdb.Session
	if ok, _ := s.call(ctx, func(ctx context.Context) (err error) {
		session, err = s.store().Sessions.Create(ctx, p)
		return err
	}); !ok {
		return
	}
	if !dead {
		var others sync.WaitGroup
		others.Go(func() {
			_, _ = s.call(ctx, func(ctx context.Context) error {
				_, err := s.store().Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: session.Token, UpdateAge: time.Millisecond})
				return err
			})
		})
		others.Go(func() {
			_, _ = s.call(ctx, func(ctx context.Context) error {
				_, err := s.store().Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
					UserID: session.UserID, Token: session.Token, OrganizationID: anyOf("o", soakOrganizations),
				})
				return err
			})
		})
		if rand.IntN(2) == 0 { // else it stays
			dead, _ = s.call(ctx, func(ctx context.Context) error { return s.store().Sessions.DeleteByToken(ctx, session.Token) })
		}
		if !dead {
			others.Wait()
			return
		}
		if _, err := s.store().Sessions.Authenticate(ctx, session.Token); err == nil {
			s.violate(deadOpens, "revoked")
		}
		others.Wait()
	}
	if _, err := s.store().Sessions.Authenticate(ctx, session.Token); err == nil {
		s.violate(deadOpens, "expired at %v, revoked %v", session.ExpiresAt, p.ExpiresAt.IsZero())
	}
}

// code is guessed by several at once.
func (s *soak) code(ctx context.Context) {
	identifier := authdb.Secret(made())
	if ok, _ := s.call(ctx, func(ctx context.Context) error {
		_, err := s.store().Verifications.Create(ctx, authdb.CreateVerificationParams{Identifier: identifier, Value: "123456:0", ExpiresAt: time.Now().Add(time.Hour)})
		return err
	}); !ok {
		return
	}
	var right, wrongly atomic.Int64
	var guesses sync.WaitGroup
	for range 6 {
		guesses.Go(func() {
			ok, err := s.call(ctx, func(ctx context.Context) error {
				return s.store().Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{
					Identifier: identifier, Code: authdb.Secret([]string{"123456", "0", "1"}[rand.IntN(3)]),
				})
			})
			switch {
			case ok:
				right.Add(1)
			case errors.Is(err, authdb.ErrWrongCode):
				wrongly.Add(1)
			}
		})
	}
	guesses.Wait()
	if right.Load() > 1 || wrongly.Load() > 3 {
		s.violate(codeTwice, "%d times right, %d guesses", right.Load(), wrongly.Load())
	}
}

// member comes, or goes by one of two doors.
func (s *soak) member(ctx context.Context) {
	org, user, store := anyOf("o", soakOrganizations), anyOf("u", soakUsers), s.store()
	_, _ = s.call(ctx, func(ctx context.Context) error {
		if rand.IntN(2) == 0 {
			_, err := store.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: org, UserID: user, MaxMembers: maxMembers})
			return err
		}
		m, err := s.someMember(ctx, org)
		if err != nil {
			return err
		}
		if rand.IntN(2) == 0 {
			return store.Members.Leave(ctx, org, m.UserID)
		}
		return store.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: org, MemberID: m.ID})
	})
}

func (s *soak) someMember(ctx context.Context, org string) (authdb.MemberWithUser, error) {
	page, err := s.store().Members.List(ctx, authdb.ListMembersParams{OrganizationID: org})
	if err != nil || len(page.Items) == 0 {
		return authdb.MemberWithUser{}, errors.Join(err, authdb.ErrNotFound)
	}
	return page.Items[rand.IntN(len(page.Items))], nil
}

func (s *soak) role(ctx context.Context) {
	org := anyOf("o", soakOrganizations)
	_, _ = s.call(ctx, func(ctx context.Context) error {
		m, err := s.someMember(ctx, org)
		if err == nil {
			_, err = s.store().Members.Update(ctx, org, m.ID, authdb.UpdateMemberParams{
				Role: authdb.Set([]string{authdb.RoleOwner, authdb.RoleAdmin, authdb.RoleMember}[rand.IntN(3)]),
			})
		}
		return err
	})
}

func (s *soak) invite(ctx context.Context) {
	org := anyOf("o", soakOrganizations)
	_, _ = s.call(ctx, func(ctx context.Context) error {
		m, err := s.someMember(ctx, org)
		if err == nil {
			_, err = s.store().Invitations.Create(ctx, authdb.CreateInvitationParams{
				OrganizationID: org, InviterID: m.UserID, Email: anyOf("u", soakUsers) + "@example.com", MaxPending: maxOffers,
			})
		}
		return err
	})
}

// decide accepts an invitation while another cancels or rejects it.
func (s *soak) decide(ctx context.Context) {
	var id, org, email string
	err := s.admin.QueryRow(ctx, `SELECT id, organization_id, email FROM invitation WHERE status = 'pending' AND organization_id LIKE 'o%'
		ORDER BY random() LIMIT 1`).Scan(&id, &org, &email)
	if err != nil {
		return
	}
	user, _, _ := strings.Cut(email, "@")
	var other sync.WaitGroup
	if rand.IntN(2) == 0 {
		other.Go(func() {
			_, _ = s.call(ctx, func(ctx context.Context) (err error) {
				if rand.IntN(2) == 0 {
					_, err = s.store().Invitations.Cancel(ctx, org, id)
				} else {
					_, err = s.store().Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: id, UserID: user})
				}
				return err
			})
		})
	}
	_, _ = s.call(ctx, func(ctx context.Context) error {
		_, err := s.store().Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user, MaxMembers: maxMembers})
		return err
	})
	other.Wait()
}

func (s *soak) team(ctx context.Context) {
	org, store := anyOf("o", soakOrganizations), s.store()
	_, _ = s.call(ctx, func(ctx context.Context) error {
		if rand.IntN(3) > 0 {
			_, err := store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org, MaxTeams: maxTeams})
			return err
		}
		team, err := s.someTeam(ctx, org)
		if err == nil {
			err = store.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: org, TeamID: team, AllowLast: true})
		}
		return err
	})
}

func (s *soak) someTeam(ctx context.Context, org string) (string, error) {
	page, err := s.store().Teams.List(ctx, authdb.ListTeamsParams{OrganizationID: org})
	if err != nil || len(page.Items) == 0 {
		return "", errors.Join(err, authdb.ErrNotFound)
	}
	return page.Items[rand.IntN(len(page.Items))].ID, nil
}

func (s *soak) seat(ctx context.Context) {
	org, store := anyOf("o", soakOrganizations), s.store()
	_, _ = s.call(ctx, func(ctx context.Context) error {
		team, err := s.someTeam(ctx, org)
		if err != nil {
			return err
		}
		m, err := s.someMember(ctx, org)
		switch {
		case err != nil:
		case rand.IntN(3) == 0:
			err = store.TeamMembers.DeleteByUser(ctx, org, team, m.UserID)
		default:
			_, err = store.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: org, TeamID: team, UserID: m.UserID, MaxMembers: maxSeats})
		}
		return err
	})
}

// account is linked to one of several who want it, and taken away again.
func (s *soak) account(ctx context.Context) {
	_, _ = s.call(ctx, func(ctx context.Context) error {
		account, err := s.store().Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: anyOf("u", soakUsers), ProviderID: "github", AccountID: anyOf("i", soakUsers),
		})
		if err == nil {
			err = s.store().Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: account.UserID, ID: account.ID, AllowLast: true})
		}
		return err
	})
}

func (s *soak) read(ctx context.Context) {
	_, _ = s.call(ctx, func(ctx context.Context) error {
		_, err := s.store().Organizations.GetFull(ctx, anyOf("o", soakOrganizations), authdb.OrganizationWith{
			Members: authdb.All(), Teams: authdb.All(), Invitations: authdb.All(),
		})
		return err
	})
}

// look counts what must not be.
func (s *soak) look(ctx context.Context, orgs string) (counts map[string]int, err error) {
	err = pgx.BeginTxFunc(ctx, s.admin, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		counts, err = broken(ctx, tx, orgs)
		return err
	})
	return counts, err
}

func broken(ctx context.Context, tx pgx.Tx, orgs string) (map[string]int, error) {
	counts := map[string]int{}
	for _, i := range invariants {
		var n int
		sql := strings.NewReplacer("$orgs", orgs, "$members", fmt.Sprint(maxMembers), "$offers", fmt.Sprint(maxOffers),
			"$teams", fmt.Sprint(maxTeams), "$seats", fmt.Sprint(maxSeats)).Replace(i.sql)
		if err := tx.QueryRow(ctx, sql).Scan(&n); err != nil {
			return nil, fmt.Errorf("%s: %w", i.name, err)
		}
		if n > 0 {
			counts[i.name] = n
		}
	}
	return counts, nil
}

// TestInvariants breaks each invariant, which must be seen.
func TestInvariants(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, authdbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, soakSetup); err != nil {
		t.Fatal(err)
	}
	for _, i := range append(invariants, struct{ name, sql, breaks string }{breaks: "SELECT"}) {
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, i.breaks, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", i.name, err)
		}
		counts, err := broken(ctx, tx, "'o%'")
		if err != nil || counts[i.name] == 0 && i.name != "" || i.name == "" && len(counts) > 0 {
			t.Errorf("%s: %v (%v)", i.name, counts, err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// naive checks, then acts, in organizations of its own.
func (s *soak) naive(ctx context.Context, round int) error {
	org := fmt.Sprint("naive", round)
	for _, sql := range []string{
		`INSERT INTO organization (id, name, slug, created_at) VALUES ($1, '', $1, now())`,
		`INSERT INTO member (id, organization_id, user_id, role, created_at)
			SELECT concat($1::text, '-', n), $1, 'u' || n, 'owner', now() FROM generate_series(0, 7) n`,
	} {
		if _, err := s.admin.Exec(ctx, sql, org); err != nil {
			return err
		}
	}
	if round%3 == 1 { // else the limit is met by owners
		if _, err := s.admin.Exec(ctx, `INSERT INTO member (id, organization_id, user_id, role, created_at)
			SELECT concat($1::text, '-', n), $1, 'u' || n, 'member', now() FROM generate_series(8, 10) n`, org); err != nil {
			return err
		}
	}
	ifThen := []struct{ check, act string }{
		{`SELECT count(*) > 1 FROM member WHERE organization_id = $1 AND $2::int >= 0`, `DELETE FROM member WHERE organization_id = $1 AND user_id = 'u' || $2::int`},
		{`SELECT count(*) < 12 FROM member WHERE organization_id = $1 AND $2::int >= 0`, `INSERT INTO member (id, organization_id, user_id, role, created_at)
			VALUES (concat($1::text, '-', 20 + $2::int), $1, 'u' || 20 + $2::int, 'member', now())`},
		{`SELECT count(*) = 0 FROM invitation WHERE organization_id = $1 AND $2::int >= 0`, `INSERT INTO invitation (id, organization_id, email, role, expires_at, created_at, inviter_id)
			VALUES (concat($1::text, '-', $2::int), $1, 'x@example.com', 'member', now() + interval '1 day', now(), 'u0')`},
	}[round%3]
	var all sync.WaitGroup
	errs := make([]error, 8)
	for n := range errs {
		all.Go(func() {
			var yes bool
			if errs[n] = s.admin.QueryRow(ctx, ifThen.check, org, n).Scan(&yes); yes {
				_, errs[n] = s.admin.Exec(ctx, ifThen.act, org, n)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// TestSoak lets many do everything at once, for a while: by clocks that jump, under contexts that are over at any moment,
// on connections that the server ends. What must never be is not, whenever one looks. Beside them somebody checks, then
// acts: the control.
func TestSoak(t *testing.T) { //nolint:paralleltest // it counts the goroutines of the process
	ctx, goroutines := t.Context(), runtime.NumGoroutine()
	server := private(t)
	execOn(t, server, soakSetup)
	s := &soak{violations: map[string]int{}, examples: map[string]string{}, offsets: make([]atomic.Int64, 3)}
	var err error
	if s.admin, err = pgxpool.New(ctx, server.DSN()+"&pool_max_conns=16"); err != nil {
		t.Fatal(err)
	}
	for i := range s.offsets {
		opts := []authdb.Option{
			authdb.WithClock(func() time.Time { return time.Now().Add(time.Duration(s.offsets[i].Load())) }),
			authdb.WithPoolConfig(func(c *pgxpool.Config) {
				c.MaxConns = 8
				c.ConnConfig.RuntimeParams["application_name"] = "soak"
			}),
		}
		if i == 0 {
			opts = append(opts, authdb.WithOnce())
		}
		store, err := authdb.Open(ctx, server.DSN(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		s.stores = append(s.stores, store)
	}

	began := time.Now()
	var stop atomic.Bool
	var crew sync.WaitGroup
	work := func(each time.Duration, do func(n int) error) {
		crew.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := errors.Join(do(n), sleep(ctx, each)); err != nil {
					s.violate(unexpected, "%v", err)
				}
			}
		})
	}
	for range sizeOf(t).soakers {
		work(0, func(int) error {
			deeds[rand.IntN(len(deeds))](s, ctx)
			return nil
		})
	}
	var looks, ended, naiveWrong int
	work(10*pause, func(int) error {
		s.offsets[rand.IntN(len(s.offsets))].Store(int64(rand.N(2*skew) - skew))
		return nil
	})
	work(50*pause, func(int) error {
		ended++
		_, err := s.admin.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'soak' ORDER BY random() LIMIT 1`)
		return err
	})
	work(25*pause, func(n int) error { return s.naive(ctx, n) })
	work(100*pause, func(int) error {
		looks++
		found, err := s.look(ctx, "'o%'")
		for what, n := range found {
			s.violate(what, "%d at the %d. look", n, looks)
		}
		return err
	})
	_ = sleep(ctx, sizeOf(t).soak/2)
	half := memoryInUse()
	_ = sleep(ctx, sizeOf(t).soak/2)
	end := memoryInUse()
	stop.Store(true)
	crew.Wait()

	found, err := s.look(ctx, "'o%'")
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range found {
		s.violate(what, "%d at the end", n)
	}
	if found, err = s.look(ctx, "'naive%'"); err != nil {
		t.Fatal(err)
	}
	naiveSorts := slices.Sorted(maps.Keys(found))
	for _, n := range found {
		naiveWrong += n
	}
	var kept int32
	for _, store := range s.stores {
		acquired := store.Pool().Stat
		for deadline := time.Now().Add(ceiling); acquired().AcquiredConns() > 0 && time.Now().Before(deadline); {
			_ = sleep(ctx, pause) // for one that was asked for under a context that is over
		}
		kept += acquired().AcquiredConns()
		store.Close()
	}
	s.admin.Close()
	left := func() int { return runtime.NumGoroutine() - goroutines - 1 } // one waits for the server
	for deadline := time.Now().Add(ceiling); left() > 0 && time.Now().Before(deadline); {
		_ = sleep(ctx, pause)
	}
	if kept > 0 || left() > 0 {
		t.Errorf("%d connections are not given back, %d goroutines are left", kept, left())
	}

	sum := 0
	for what, n := range s.violations {
		sum += n
		t.Errorf("%s: %d, such as %s", what, n, s.examples[what])
	}
	record(t, fmt.Sprintf("calls of %d workers in %s", sizeOf(t).soakers, time.Since(began).Round(time.Second)), s.calls.Load())
	record(t, "of which succeeded", s.done.Load())
	record(t, "contexts that were over before the end of a call", s.cut.Load())
	record(t, "connections ended by the server", ended)
	record(t, fmt.Sprintf("looks at %d invariants, beside %d that the workers hold", len(invariants), 3), looks)
	record(t, "violations", sum)
	record(t, "outcomes that stayed unknown", s.unknown.Load())
	record(t, "connections not given back, goroutines left", fmt.Sprintf("%d, %d", kept, max(0, left())))
	record(t, "memory in use after half of it, and at the end", fmt.Sprintf("%d kB, %d kB", half>>10, end>>10))
	record(t, "control, which checks, then acts: "+strings.Join(naiveSorts, ", "), naiveWrong)
	if len(naiveSorts) == 0 {
		t.Error("the control does no harm")
	}
}

func memoryInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
