package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// What lets in whoever does not belong, by its kind. docs/security.md names these tests. Races of the same kinds are in
// races_test.go and guards_scenarios_test.go, the border's in betterauth, the migrator's in migrate.

// TestGuessOutlivesTransaction: a counter that its own refusal rolls back counts nothing.
func TestGuessOutlivesTransaction(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	v := newVerification(t, s, "sign-in", time.Hour)
	exec(t, s.Store, `UPDATE verification SET value = '123456:0'`)
	conn := must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
	defer func() { _ = conn.Close(context.Background()) }()
	must[any](t)(conn.Exec(ctx, `BEGIN`))
	guess := func(code string, inTx bool) authdb.ConsumeCodeParams {
		return authdb.ConsumeCodeParams{Identifier: v.Identifier, Code: authdb.Secret(code), InTx: inTx}
	}
	for name, in := range map[string]func(f func(db *authdb.Store) error) error{
		"InTx": func(f func(db *authdb.Store) error) error { return s.InTx(ctx, f) },
		"a savepoint": func(f func(db *authdb.Store) error) error {
			return s.InTx(ctx, func(tx *authdb.Store) error { return tx.InTx(ctx, f) })
		},
		"a connection in a transaction": func(f func(db *authdb.Store) error) error { return f(authdb.New(conn)) },
		"under a key":                   func(f func(db *authdb.Store) error) error { return s.InTx(authdb.Once(ctx, "guess"), f) },
	} {
		for _, code := range []string{"0", "123456"} {
			err := in(func(db *authdb.Store) error { return db.Verifications.ConsumeCode(ctx, guess(code, false)) })
			fails(t, err, authdb.ErrInTransaction, "Verifications.ConsumeCode", "")
		}
		if got := must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)).Value; got != "123456:0" {
			t.Errorf("in %s: %s is left", name, got)
		}
	}
	// By name it is as the transaction ends.
	for want, commits := range map[string]bool{"123456:0": false, "123456:1": true} {
		exec(t, s.Store, `UPDATE verification SET value = '123456:0'`)
		_ = s.InTx(ctx, func(tx *authdb.Store) error {
			err := tx.Verifications.ConsumeCode(ctx, guess("0", true))
			fails(t, err, authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
			if commits {
				return nil
			}
			return err
		})
		if got := must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)).Value; string(got) != want {
			t.Errorf("committed %v: %s is left, want %s", commits, got, want)
		}
	}
}

// TestNewestCodeIsTheLastMade: an order by clocks that differ is none.
func TestNewestCodeIsTheLastMade(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	noon := s.now
	create := func(value string, behind time.Duration) authdb.Verification {
		s.now = noon.Add(-behind)
		v := must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: "skew", Value: authdb.Secret(value), ExpiresAt: noon.Add(time.Hour),
		}))
		s.now = noon
		return v
	}
	create("other", 0)
	exec(t, s.Store, `UPDATE verification SET identifier = 'another', created_at = '2030-01-01'`)
	for i, behind := range []time.Duration{0, 5 * time.Minute, time.Millisecond, -time.Minute, 24 * time.Hour, 0} {
		last := create(fmt.Sprintf("%d:0", i), behind)
		if i == 0 && !last.CreatedAt.Equal(noon) {
			t.Errorf("the first is of %v", last.CreatedAt)
		}
		if got := must[authdb.Verification](t)(s.Verifications.GetByIdentifier(ctx, "skew")); got.ID != last.ID {
			t.Errorf("%d, %v behind: the newest is %s", i, behind, got.Value)
		}
	}
	err := s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "skew", Code: "4"})
	fails(t, err, authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
	if err := s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "skew", Code: "5"}); err != nil {
		t.Error(err)
	}
}

// TestUnprovedAddressOpensNothing: an address is anybody's who types it until it is proved.
func TestUnprovedAddressOpensNothing(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	g := newGuest(t, s)
	must[authdb.User](t)(s.Users.SetEmail(ctx, g.user.ID, authdb.SetEmailParams{Email: g.user.Email}))
	want := readTables(t, s.Store)
	doors := func(allow bool) map[string]error {
		all := map[string]error{}
		all["Invitations.GetByRecipient"] = errOf(s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{
			InvitationID: g.inv.ID, UserID: g.user.ID, AllowUnverified: allow,
		}))
		p := authdb.ListInvitationsByRecipientParams{UserID: g.user.ID, AllowUnverified: allow}
		page, err := s.Invitations.ListByRecipient(ctx, p)
		all["Invitations.ListByRecipient"] = err
		if len(page.Items) != 0 == (err != nil) {
			t.Errorf("%d invitations with %v", len(page.Items), err)
		}
		all["Invitations.Reject"] = errOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{
			InvitationID: g.inv.ID, UserID: g.user.ID, AllowUnverified: allow,
		}))
		exec(t, s.Store, `UPDATE invitation SET status = 'pending'`)
		all["Invitations.Accept"] = errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
			InvitationID: g.inv.ID, UserID: g.user.ID, AllowUnverified: allow,
		}))
		return all
	}
	for op, err := range doors(false) {
		fails(t, err, authdb.ErrEmailNotVerified, op, "")
	}
	s.holds(t, want)
	for op, err := range doors(true) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestInvitationDiesWithItsRight: what was allowed once is looked at again when it is used.
func TestInvitationDiesWithItsRight(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	for invited, inviters := range map[string]map[string]bool{ // role of the invitation, of the inviter by then, whether it stands
		"owner":          {"owner": true, "admin, owner": true, "admin": false, "member": false, "": false, "custom": false, "gone": false},
		"member\t,owner": {"owner": true, "admin": false, "gone": false},
		"admin":          {"owner": true, "admin": true, "custom": true, "member": false, " member , member": false, "": false, "gone": false},
		"custom":         {"admin": true, "member": false, "gone": false},
		"member":         {"owner": true, "admin": true, "member": true, "custom": true, "gone": false},
		"":               {"member": true, "gone": false},
	} {
		for role, stands := range inviters {
			t.Run(invited+" by "+role, func(t *testing.T) {
				g := newGuest(t, s)
				inviter := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = g.org.ID, "owner" })
				exec(t, s.Store, `UPDATE invitation SET inviter_id = $1, role = $2 WHERE id = $3`, inviter.UserID, invited, g.inv.ID)
				if role == "gone" {
					exec(t, s.Store, `DELETE FROM member WHERE id = $1`, inviter.ID)
				} else {
					exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, inviter.ID)
				}
				want := readTables(t, s.Store)
				_, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.inv.ID, UserID: g.user.ID})
				if stands {
					if err != nil {
						t.Error(err)
					}
					return
				}
				fails(t, err, authdb.ErrNotPermitted, "Invitations.Accept", "role")
				s.holds(t, want)
				// Another owner makes it good again.
				again := invite(t, s, g.org.ID, g.tenant.user.ID, to(g.user.Email))
				if _, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: again.ID, UserID: g.user.ID}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestInvitingAgainLooksAtWhatStands: a check of the new value alone lets the old one be taken away.
func TestInvitingAgainLooksAtWhatStands(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	org, owner := owned(t, s)
	who := map[string]string{"the owner": owner.ID}
	for _, role := range []string{"admin", "other admin", "member", "other member", "custom"} {
		who[role] = authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) {
			p.OrganizationID, p.Role = org.ID, strings.TrimPrefix(role, "other ")
		}).UserID
	}
	for _, test := range []struct {
		first, role string // who invited, and as what
		then, as    string // who invites again, and as what
		ok          bool
	}{
		{"the owner", "owner", "member", "member", false},
		{"the owner", "owner", "admin", "member", false},
		{"the owner", "owner", "custom", "owner", false},
		{"the owner", "member", "member", "admin", false},
		{"the owner", "admin", "member", "member", false},
		{"the owner", "member", "member", "member", false},
		{"the owner", "member", "admin", "admin", true},
		{"the owner", "owner", "the owner", "member", true},
		{"admin", "admin", "the owner", "owner", true},
		{"admin", "admin", "other admin", "member", true},
		{"member", "member", "member", "member", true},
		{"member", "member", "other member", "member", false},
		{"member", "member", "custom", "custom", true},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			exec(t, s.Store, `DELETE FROM invitation`)
			p := authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: who[test.first], Email: "again@x.io", Role: test.role}
			must[authdb.Invitation](t)(s.Invitations.Create(ctx, p))
			want := readTables(t, s.Store)
			p.InviterID, p.Role = who[test.then], test.as
			got, err := s.Invitations.Create(ctx, p)
			if test.ok {
				if err != nil || *got.Role != test.as || got.InviterID != who[test.then] {
					t.Error(got, err)
				}
				return
			}
			fails(t, err, authdb.ErrNotPermitted, "Invitations.Create", "role")
			s.holds(t, want)
		})
	}
}

// TestProofIsBoundToTheUser: a key that changes hands proves something of another. What a squatter left is in
// TestUsers/VerifyEmail.
func TestProofIsBoundToTheUser(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	prover := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
	address := prover.Email
	must[authdb.User](t)(s.Users.SetEmail(ctx, prover.ID, authdb.SetEmailParams{Email: "moved@example.com"}))
	holder := must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: address}))
	fails(t, errOf(s.Users.VerifyEmail(ctx, prover.ID, authdb.VerifyEmailParams{Email: address})),
		authdb.ErrNotFound, "Users.VerifyEmail", "")
	for _, u := range []string{prover.ID, holder.ID} {
		if must[authdb.User](t)(s.Users.Get(ctx, u)).EmailVerified {
			t.Errorf("%s is verified", u)
		}
	}
}

// TestClosedDoorsInTransactions: a transaction of the caller's refuses as the pool does, and goes on.
func TestClosedDoorsInTransactions(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	g := newGuest(t, s)
	must[authdb.User](t)(s.Users.SetEmail(ctx, g.user.ID, authdb.SetEmailParams{Email: g.user.Email}))
	err := s.InTx(ctx, func(tx *authdb.Store) error {
		_, err := tx.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: g.user.ID})
		fails(t, err, authdb.ErrEmailNotVerified, "Invitations.ListByRecipient", "")
		_, err = tx.Users.VerifyEmail(ctx, g.user.ID, authdb.VerifyEmailParams{Email: g.user.Email})
		return errors.Join(err, errOf(tx.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
			InvitationID: g.inv.ID, UserID: g.user.ID,
		})))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPromisesHaveTests: each test that docs/security.md names is there.
func TestPromisesHaveTests(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "*/*/*_test.go"} {
		for _, file := range must[[]string](t)(filepath.Glob(pattern)) {
			tests.Write(must[[]byte](t)(os.ReadFile(file)))
		}
	}
	names := regexp.MustCompile("`(Test\\w+)(?:/\\w+)?`").FindAllStringSubmatch(string(must[[]byte](t)(os.ReadFile("docs/security.md"))), -1)
	for _, m := range names {
		if !strings.Contains(tests.String(), "\nfunc "+m[1]+"(") {
			t.Errorf("%s is no test", m[1])
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d tests are named", len(names))
	}
}

// TestCallersTransactionStaysTheCallers: what was begun by SQL on a connection is neither committed nor rolled back.
func TestCallersTransactionStaysTheCallers(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), authdbtest.DSN(t)
	for _, begin := range []string{"BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE"} {
		conn := must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		for name, call := range map[string]func(s *authdb.Store) error{
			"a key": func(s *authdb.Store) error {
				return errOf(s.Users.Create(authdb.Once(ctx, newID()), authdb.CreateUserParams{Email: "a@x.io"}))
			},
			"a store of keys": func(*authdb.Store) error {
				return errOf(authdb.New(conn, authdb.WithOnce()).Users.Create(ctx, authdb.CreateUserParams{Email: "a@x.io"}))
			},
			"a lock":        func(s *authdb.Store) error { return errOf(s.Sessions.DeleteByUser(ctx, "nobody")) },
			"a transaction": func(s *authdb.Store) error { return s.InTx(ctx, func(*authdb.Store) error { return nil }) },
		} {
			must[any](t)(conn.Exec(ctx, begin+`; INSERT INTO verification (id, identifier, value, expires_at) VALUES ('mine', '', '', now())`))
			err := call(authdb.New(conn))
			if name == "a store of keys" || name == "a lock" && begin == "BEGIN" { // as part of the transaction
				if err != nil {
					t.Errorf("%s, %s: %v", begin, name, err)
				}
			} else if !errors.Is(err, authdb.ErrInvalidInput) && !errors.Is(err, authdb.ErrIsolation) && !errors.Is(err, authdb.ErrInTransaction) {
				t.Errorf("%s, %s: %v", begin, name, err)
			}
			if status := conn.PgConn().TxStatus(); status == 'I' {
				t.Errorf("%s, %s: the transaction is over", begin, name)
			}
			must[any](t)(conn.Exec(ctx, "ROLLBACK"))
			var left int
			if err := conn.QueryRow(ctx, `SELECT count(*) FROM verification`).Scan(&left); err != nil || left != 0 {
				t.Errorf("%s, %s: %d rows are left, %v", begin, name, left, err)
			}
		}
	}
}

// TestKeyStandsForOneCall: another call under a key is not taken for the first one, so that no check is skipped.
func TestKeyStandsForOneCall(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	a, b := newGuest(t, s), newGuest(t, s)
	newVerification(t, s, "mine", time.Hour)
	newVerification(t, s, "theirs", time.Hour)
	reserve := func(ctx context.Context, id string) error {
		return s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{Identifier: authdb.Secret(id), ExpiresAt: s.now.Add(time.Hour)})
	}
	for name, calls := range map[string][2]func(ctx context.Context) error{
		"Verifications.ConsumeCode": {
			func(ctx context.Context) error {
				return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "mine", Code: "123456"})
			},
			func(ctx context.Context) error {
				return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "theirs", Code: "000000"})
			},
		},
		"Verifications.Reserve": {
			func(ctx context.Context) error { return reserve(ctx, "one") },
			func(ctx context.Context) error { return reserve(ctx, "two") },
		},
		"Users.VerifyEmail": {
			func(ctx context.Context) error {
				return errOf(s.Users.VerifyEmail(ctx, a.user.ID, authdb.VerifyEmailParams{Email: a.user.Email}))
			},
			func(ctx context.Context) error {
				return errOf(s.Users.VerifyEmail(ctx, b.user.ID, authdb.VerifyEmailParams{Email: "wrong@x.io"}))
			},
		},
		"Invitations.Accept": {
			func(ctx context.Context) error {
				return errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: a.inv.ID, UserID: a.user.ID}))
			},
			func(ctx context.Context) error {
				return errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: b.inv.ID, UserID: a.user.ID}))
			},
		},
		"Sessions.DeleteByToken": {
			func(ctx context.Context) error { return s.Sessions.DeleteByToken(ctx, a.session.Token) },
			func(ctx context.Context) error { return s.Sessions.DeleteByToken(ctx, b.session.Token) },
		},
	} {
		key := authdb.Once(ctx, name)
		for range 2 {
			if err := calls[0](key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		fails(t, calls[1](key), authdb.ErrInvalidInput, name, "once")
	}
	err := s.InTx(ctx, func(tx *authdb.Store) error {
		return errOf(tx.Users.Create(authdb.Once(ctx, "inside"), authdb.CreateUserParams{Email: "a@x.io"}))
	})
	fails(t, err, authdb.ErrInvalidInput, "Users.Create", "once")
}

// TestUnprovedAddressFindsNothing: the queries themselves, where the address is changed after the check before them.
func TestUnprovedAddressFindsNothing(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	g := newGuest(t, s)
	must[authdb.User](t)(s.Users.SetEmail(ctx, g.user.ID, authdb.SetEmailParams{Email: g.user.Email}))
	q := dbgen.New(s.Pool())
	for _, allow := range []bool{false, true} {
		rows := must[[]dbgen.ListInvitationsByRecipientRow](t)(q.ListInvitationsByRecipient(ctx,
			dbgen.ListInvitationsByRecipientParams{UserID: g.user.ID, AllowUnverified: allow, RowLimit: 9}))
		_, err := q.GetInvitationByRecipient(ctx,
			dbgen.GetInvitationByRecipientParams{ID: g.inv.ID, UserID: g.user.ID, AllowUnverified: allow})
		if len(rows) == 1 != allow || (err == nil) != allow {
			t.Errorf("allowed %v: %d rows, %v", allow, len(rows), err)
		}
	}
}

// TestOldCodesStayReplaced: taking away the newest code brings none back.
func TestOldCodesStayReplaced(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	create := func(identifier, value string) string {
		return must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(identifier), Value: authdb.Secret(value), ExpiresAt: s.now.Add(time.Hour),
		})).ID
	}
	create("mail", "111111:0")
	create("other", "111111:0")
	if err := s.Verifications.Delete(ctx, create("mail", "222222:0")); err != nil {
		t.Fatal(err)
	}
	guess := authdb.ConsumeCodeParams{Identifier: "mail", Code: "111111"}
	fails(t, s.Verifications.ConsumeCode(ctx, guess), authdb.ErrNotFound, "Verifications.ConsumeCode", "")
	guess.Identifier = "other"
	if err := s.Verifications.ConsumeCode(ctx, guess); err != nil {
		t.Error(err)
	}
}

// TestSetEmailIsNoSecondDoor: an address that a squatter signed up with is proved by VerifyEmail alone.
func TestSetEmailIsNoSecondDoor(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	for _, proved := range []bool{false, true} {
		u := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = proved })
		set := func(email string, verified bool) authdb.User {
			return must[authdb.User](t)(s.Users.SetEmail(ctx, u.ID, authdb.SetEmailParams{Email: email, Verified: verified}))
		}
		if got := set(strings.ToUpper(u.Email), true); got.EmailVerified != proved {
			t.Errorf("the same address: proved %v, was %v", got.EmailVerified, proved)
		}
		exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, u.ID) // as an older program wrote it
		if got := set(u.Email, true); got.EmailVerified != proved || got.Email != u.Email {
			t.Errorf("the same address in capitals: %v, was proved: %v", got, proved)
		}
		if got := set("new-"+u.Email, true); !got.EmailVerified {
			t.Error("another address: not proved")
		}
		if got := set("new-"+u.Email, false); got.EmailVerified {
			t.Error("the same address: still proved")
		}
	}
}

// TestCapitalsAreProved: of a row with capitals too, a proof takes away what a squatter left.
func TestCapitalsAreProved(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
	exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, user.ID)
	got := must[authdb.VerifiedUser](t)(s.Users.VerifyEmail(t.Context(), user.ID, authdb.VerifyEmailParams{Email: user.Email}))
	if !got.User.EmailVerified || len(got.Sessions) != 1 || got.Sessions[0].ID != session.ID {
		t.Errorf("got %+v", got)
	}
}

// TestSeatsAllOrNone: a server that adds one of the seats and takes it away leaves the others refused or made, not both.
func TestSeatsAllOrNone(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	org, _ := owned(t, s)
	team := must[authdb.Team](t)(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID}))
	exec(t, s.Store, `INSERT INTO "user" (id, name, email) SELECT 'u' || i, '', 'u' || i || '@x.io' FROM generate_series(1, 3000) i`)
	exec(t, s.Store, `INSERT INTO member (id, organization_id, user_id, created_at)
		SELECT 'm' || i, $1, 'u' || i, now() FROM generate_series(1, 3000) i`, org.ID)
	var ids []string
	for i := range 3000 {
		ids = append(ids, fmt.Sprintf("u%d", i+1))
	}
	conn := must[*pgx.Conn](t)(pgx.Connect(ctx, s.Pool().Config().ConnString()))
	defer func() { _ = conn.Close(context.Background()) }()
	other := func(sql string, args ...any) { t.Helper(); must[any](t)(conn.Exec(ctx, sql, args...)) }
	other(`BEGIN`)
	other(`INSERT INTO team_member (id, team_id, user_id) VALUES ('other', $1, 'u1')`, team.ID)
	done := make(chan error)
	go func() { done <- errOf(s.TeamMembers.CreateMany(ctx, seatsOf(org.ID, team.ID, 0, ids...))) }()
	for waits := 0; waits == 0; time.Sleep(time.Millisecond) {
		waits = count(t, s.Store, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`, conn.PgConn().PID())
	}
	other(`COMMIT`)
	other(`DELETE FROM team_member WHERE id = 'other'`)
	err, n := <-done, count(t, s.Store, `SELECT count(*) FROM team_member WHERE team_id = $1`, team.ID)
	if (err == nil) != (n >= 2999) || err != nil && n > 0 {
		t.Errorf("%v, and %d have joined", err, n)
	}
}

// TestRemovedStayRemoved: what was pending beside the membership is no way back.
func TestRemovedStayRemoved(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	add := func(g guest) authdb.Member {
		return must[authdb.Member](t)(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: g.org.ID, UserID: g.user.ID}))
	}
	move := func(g guest, email string) {
		must[authdb.User](t)(s.Users.SetEmail(ctx, g.user.ID, authdb.SetEmailParams{Email: email, Verified: true}))
	}
	shout := func(g guest) { exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, g.user.ID) }
	second := func(g guest, email string) {
		exec(t, s.Store, `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
			SELECT $2 || id, organization_id, coalesce(nullif($3, ''), email), 'admin', status, expires_at, created_at, inviter_id
			FROM invitation WHERE id = $1`, g.inv.ID, "second", email)
	}
	remove := func(g guest) error {
		m, err := s.Members.GetByUser(ctx, g.org.ID, g.user.ID)
		if err != nil {
			return err
		}
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: g.org.ID, MemberID: m.ID})
	}
	for name, goes := range map[string]func(g guest) error{
		"added": func(g guest) error {
			add(g)
			return remove(g)
		},
		"added by a server": func(g guest) error {
			exec(t, s.Store, `INSERT INTO member VALUES ('theirs', $1, $2, 'member', now())`, g.org.ID, g.user.ID)
			return remove(g)
		},
		"invited twice": func(g guest) error {
			second(g, "")
			must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx,
				authdb.AcceptInvitationParams{InvitationID: g.inv.ID, UserID: g.user.ID}))
			return remove(g)
		},
		"invited twice, once in capitals": func(g guest) error {
			second(g, "")
			exec(t, s.Store, `UPDATE invitation SET email = upper(email) WHERE id = $1`, g.inv.ID)
			shout(g)
			must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx,
				authdb.AcceptInvitationParams{InvitationID: g.inv.ID, UserID: g.user.ID}))
			return remove(g)
		},
		"elsewhere before added": func(g guest) error {
			move(g, "before@x.io")
			add(g)
			return remove(g)
		},
		"added, and elsewhere when removed": func(g guest) error {
			add(g)
			move(g, "elsewhere@x.io")
			return remove(g)
		},
		"added with others, and elsewhere when removed": func(g guest) error {
			must[[]authdb.Member](t)(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{
				{OrganizationID: g.org.ID, UserID: authdbtest.User(t, s.Store).ID}, {OrganizationID: g.org.ID, UserID: g.user.ID},
			}))
			exec(t, s.Store, `UPDATE "user" SET email = 'by-a-server@x.io' WHERE id = $1`, g.user.ID)
			return remove(g)
		},
		"added in capitals": func(g guest) error {
			shout(g)
			add(g)
			exec(t, s.Store, `UPDATE "user" SET email = 'shouted@x.io' WHERE id = $1`, g.user.ID)
			return remove(g)
		},
		"added with others in capitals": func(g guest) error {
			shout(g)
			must[[]authdb.Member](t)(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: g.org.ID, UserID: g.user.ID}}))
			exec(t, s.Store, `UPDATE "user" SET email = 'shouted-2@x.io' WHERE id = $1`, g.user.ID)
			return remove(g)
		},
		"removed in capitals": func(g guest) error {
			exec(t, s.Store, `INSERT INTO member VALUES ('loud', $1, $2, 'member', now())`, g.org.ID, g.user.ID)
			shout(g)
			return remove(g)
		},
		"elsewhere when added, and there in between": func(g guest) error {
			move(g, "a@x.io")
			add(g)
			move(g, g.user.Email)
			move(g, "c@x.io")
			return remove(g)
		},
		"there in capitals in between": func(g guest) error {
			move(g, "d@x.io")
			add(g)
			move(g, g.user.Email)
			shout(g)
			move(g, "e@x.io")
			return remove(g)
		},
		"deleted": func(g guest) error {
			exec(t, s.Store, `INSERT INTO member VALUES ('deleted', $1, $2, 'member', now())`, g.org.ID, g.user.ID)
			return errOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.user.ID}))
		},
		"deleted in capitals": func(g guest) error {
			exec(t, s.Store, `INSERT INTO member VALUES ('deleted-2', $1, $2, 'member', now())`, g.org.ID, g.user.ID)
			shout(g)
			return errOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.user.ID}))
		},
		"a successor, and elsewhere when removed": func(g guest) error {
			exec(t, s.Store, `UPDATE member SET role = 'admin' WHERE id = $1`, g.coOwner.ID)
			exec(t, s.Store, `UPDATE invitation SET inviter_id = $2 WHERE id = $1`, g.inv.ID, g.coOwner.UserID)
			shout(g)
			if err := errOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.tenant.user.ID, SuccessorID: g.user.ID})); err != nil {
				return err
			}
			exec(t, s.Store, `UPDATE member SET role = 'owner' WHERE id = $1`, g.coOwner.ID)
			exec(t, s.Store, `UPDATE "user" SET email = 'heir@x.io' WHERE id = $1`, g.user.ID)
			return remove(g)
		},
	} {
		g := newGuest(t, s, func(p *authdb.CreateInvitationParams) { p.Role = "admin" })
		if err := goes(g); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		exec(t, s.Store, `INSERT INTO "user" (id, name, email, email_verified, updated_at) VALUES ($1, '', $2, true, now())
			ON CONFLICT (id) DO UPDATE SET email = excluded.email`, g.user.ID, g.user.Email)
		for _, id := range []string{g.inv.ID, "second" + g.inv.ID} {
			if back, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: g.user.ID}); err == nil {
				t.Errorf("%s, removed, and back as %s", name, back.Member.Role)
			}
		}
	}
}

// TestGuessesEndWhateverStringsMean: a limit that a setting of the role or the database takes away is none.
func TestGuessesEndWhateverStringsMean(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	dsn := s.Pool().Config().ConnString()
	exec(t, s.Store, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database());
		EXECUTE format('ALTER DATABASE %I SET client_encoding = LATIN1', current_database());
		END $$`)
	opened := must[*authdb.Store](t)(authdb.Open(ctx, dsn))
	defer opened.Close()
	var strs, encoding string
	if err := opened.Pool().QueryRow(ctx, `SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding')`).
		Scan(&strs, &encoding); err != nil || strs != "on" || encoding != "UTF8" {
		t.Errorf("strings %s, encoding %s, %v", strs, encoding, err)
	}
	conn := must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
	defer func() { _ = conn.Close(context.Background()) }()
	for i, db := range []*authdb.Store{opened, authdb.New(conn)} {
		id := authdb.Secret(fmt.Sprint("code", i))
		must[authdb.Verification](t)(db.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: id, Value: "123456:0", ExpiresAt: time.Now().Add(time.Hour),
		}))
		for guess := range 4 {
			err := db.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: id, Code: "000000"})
			if guess < 3 != errors.Is(err, authdb.ErrWrongCode) {
				t.Errorf("%d, guess %d: %v", i, guess, err)
			}
		}
	}
}

// TestLongRolesCostNothing: a length is looked at before anything is made of what is too long.
func TestLongRolesCostNothing(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	s, ctx := newFixture(t), t.Context()
	long := strings.Repeat(",", 16<<20)
	for name, call := range map[string]func() error{
		"Invitations.Create": func() error {
			return errOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: "o", InviterID: "u", Email: "a@x.io", Role: long}))
		},
		"Members.Create": func() error {
			return errOf(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: "o", UserID: "u", Role: long}))
		},
		"Members.CreateMany": func() error {
			return errOf(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: "o", UserID: "u", Role: long}}))
		},
		"Members.Update": func() error {
			return errOf(s.Members.Update(ctx, "o", "m", authdb.UpdateMemberParams{Role: authdb.Set(long)}))
		},
		"Members.List": func() error {
			return errOf(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: "o", Role: long}))
		},
		"Members.Count": func() error {
			return errOf(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: "o", Role: long}))
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := call()
		runtime.ReadMemStats(&after)
		fails(t, err, authdb.ErrInvalidInput, name, "role")
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 8 {
			t.Errorf("%s: %d MB", name, mb)
		}
	}
}

// TestRefusalDoesNotTellWhatIsThere: an invitation to somebody else reads like none.
func TestRefusalDoesNotTellWhatIsThere(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	g, stranger := newGuest(t, s), authdbtest.User(t, s.Store)
	for name, call := range map[string]func(id string) error{
		"Accept": func(id string) error {
			return errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: stranger.ID}))
		},
		"Reject": func(id string) error {
			return errOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: id, UserID: stranger.ID}))
		},
	} {
		there, not := call(g.inv.ID), call("nothing")
		if there.Error() != not.Error() || !errors.Is(there, authdb.ErrNotRecipient) || errors.Is(not, authdb.ErrNotRecipient) {
			t.Errorf("%s: %v | %v", name, there, not)
		}
	}
}
