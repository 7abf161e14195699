package security_test

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
	"github.com/zerostarter/authdb/internal/kit"
)

// What lets in whoever does not belong, by its kind. docs/security.md names these tests. Races of the same kinds are in
// races_test.go and guards_scenarios_test.go, the border's in betterauth, the migrator's in migrate.

// TestGuessOutlivesTransaction: a counter that its own refusal rolls back counts nothing.
func TestGuessOutlivesTransaction(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	v := kit.NewVerification(t, s, "sign-in", time.Hour)
	kit.Exec(t, s.Store, `UPDATE verification SET value = '123456:0'`)
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
	defer func() { _ = conn.Close(context.Background()) }()
	kit.Must[any](t)(conn.Exec(ctx, `BEGIN`))
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
			kit.Fails(t, err, authdb.ErrInTransaction, "Verifications.ConsumeCode", "")
		}
		if got := kit.Must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)).Value; got != "123456:0" {
			t.Errorf("in %s: %s is left", name, got)
		}
	}
	// By name it is as the transaction ends.
	for want, commits := range map[string]bool{"123456:0": false, "123456:1": true} {
		kit.Exec(t, s.Store, `UPDATE verification SET value = '123456:0'`)
		_ = s.InTx(ctx, func(tx *authdb.Store) error {
			err := tx.Verifications.ConsumeCode(ctx, guess("0", true))
			kit.Fails(t, err, authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
			if commits {
				return nil
			}
			return err
		})
		if got := kit.Must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)).Value; string(got) != want {
			t.Errorf("committed %v: %s is left, want %s", commits, got, want)
		}
	}
}

// TestNewestCodeIsTheLastMade: an order by clocks that differ is none.
func TestNewestCodeIsTheLastMade(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	noon := s.Now
	create := func(value string, behind time.Duration) authdb.Verification {
		s.Now = noon.Add(-behind)
		v := kit.Must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: "skew", Value: authdb.Secret(value), ExpiresAt: noon.Add(time.Hour),
		}))
		s.Now = noon
		return v
	}
	create("other", 0)
	kit.Exec(t, s.Store, `UPDATE verification SET identifier = 'another', created_at = '2030-01-01'`)
	for i, behind := range []time.Duration{0, 5 * time.Minute, time.Millisecond, -time.Minute, 24 * time.Hour, 0} {
		last := create(fmt.Sprintf("%d:0", i), behind)
		if i == 0 && !last.CreatedAt.Equal(noon) {
			t.Errorf("the first is of %v", last.CreatedAt)
		}
		if got := kit.Must[authdb.Verification](t)(s.Verifications.GetByIdentifier(ctx, "skew")); got.ID != last.ID {
			t.Errorf("%d, %v behind: the newest is %s", i, behind, got.Value)
		}
	}
	err := s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "skew", Code: "4"})
	kit.Fails(t, err, authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
	if err := s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "skew", Code: "5"}); err != nil {
		t.Error(err)
	}
}

// TestUnprovedAddressOpensNothing: an address is anybody's who types it until it is proved.
func TestUnprovedAddressOpensNothing(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	g := kit.NewGuest(t, s)
	kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, g.User.ID, authdb.SetEmailParams{Email: g.User.Email}))
	want := kit.ReadTables(t, s.Store)
	doors := func(allow bool) map[string]error {
		all := map[string]error{}
		all["Invitations.GetByRecipient"] = kit.ErrOf(s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{
			InvitationID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: allow,
		}))
		p := authdb.ListInvitationsByRecipientParams{UserID: g.User.ID, AllowUnverified: allow}
		page, err := s.Invitations.ListByRecipient(ctx, p)
		all["Invitations.ListByRecipient"] = err
		if len(page.Items) != 0 == (err != nil) {
			t.Errorf("%d invitations with %v", len(page.Items), err)
		}
		all["Invitations.Reject"] = kit.ErrOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{
			InvitationID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: allow,
		}))
		kit.Exec(t, s.Store, `UPDATE invitation SET status = 'pending'`)
		all["Invitations.Accept"] = kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
			InvitationID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: allow,
		}))
		return all
	}
	for op, err := range doors(false) {
		kit.Fails(t, err, authdb.ErrEmailNotVerified, op, "")
	}
	s.Holds(t, want)
	for op, err := range doors(true) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestInvitationDiesWithItsRight: what was allowed once is looked at again when it is used.
func TestInvitationDiesWithItsRight(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
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
				g := kit.NewGuest(t, s)
				inviter := authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.Role = g.Org.ID, "owner" })
				kit.Exec(t, s.Store, `UPDATE invitation SET inviter_id = $1, role = $2 WHERE id = $3`, inviter.UserID, invited, g.Inv.ID)
				if role == "gone" {
					kit.Exec(t, s.Store, `DELETE FROM member WHERE id = $1`, inviter.ID)
				} else {
					kit.Exec(t, s.Store, `UPDATE member SET role = $1 WHERE id = $2`, role, inviter.ID)
				}
				want := kit.ReadTables(t, s.Store)
				_, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID})
				if stands {
					if err != nil {
						t.Error(err)
					}
					return
				}
				kit.Fails(t, err, authdb.ErrNotPermitted, "Invitations.Accept", "role")
				s.Holds(t, want)
				// Another owner makes it good again.
				again := kit.Invite(t, s, g.Org.ID, g.Tenant.User.ID, kit.To(g.User.Email))
				if _, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: again.ID, UserID: g.User.ID}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestInvitingAgainLooksAtWhatStands: a check of the new value alone lets the old one be taken away.
func TestInvitingAgainLooksAtWhatStands(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	org, owner := kit.Owned(t, s)
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
			kit.Exec(t, s.Store, `DELETE FROM invitation`)
			p := authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: who[test.first], Email: "again@x.io", Role: test.role}
			kit.Must[authdb.Invitation](t)(s.Invitations.Create(ctx, p))
			want := kit.ReadTables(t, s.Store)
			p.InviterID, p.Role = who[test.then], test.as
			got, err := s.Invitations.Create(ctx, p)
			if test.ok {
				if err != nil || *got.Role != test.as || got.InviterID != who[test.then] {
					t.Error(got, err)
				}
				return
			}
			kit.Fails(t, err, authdb.ErrNotPermitted, "Invitations.Create", "role")
			s.Holds(t, want)
		})
	}
}

// TestProofIsBoundToTheUser: a key that changes hands proves something of another. What a squatter left is in
// TestUsers/VerifyEmail.
func TestProofIsBoundToTheUser(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	prover := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
	address := prover.Email
	kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, prover.ID, authdb.SetEmailParams{Email: "moved@example.com"}))
	holder := kit.Must[authdb.User](t)(s.Users.Create(ctx, authdb.CreateUserParams{Email: address}))
	kit.Fails(t, kit.ErrOf(s.Users.VerifyEmail(ctx, prover.ID, authdb.VerifyEmailParams{Email: address})),
		authdb.ErrNotFound, "Users.VerifyEmail", "")
	for _, u := range []string{prover.ID, holder.ID} {
		if kit.Must[authdb.User](t)(s.Users.Get(ctx, u)).EmailVerified {
			t.Errorf("%s is verified", u)
		}
	}
}

// TestClosedDoorsInTransactions: a transaction of the caller's refuses as the pool does, and goes on.
func TestClosedDoorsInTransactions(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	g := kit.NewGuest(t, s)
	kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, g.User.ID, authdb.SetEmailParams{Email: g.User.Email}))
	err := s.InTx(ctx, func(tx *authdb.Store) error {
		_, err := tx.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: g.User.ID})
		kit.Fails(t, err, authdb.ErrEmailNotVerified, "Invitations.ListByRecipient", "")
		_, err = tx.Users.VerifyEmail(ctx, g.User.ID, authdb.VerifyEmailParams{Email: g.User.Email})
		return errors.Join(err, kit.ErrOf(tx.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
			InvitationID: g.Inv.ID, UserID: g.User.ID,
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
	for _, pattern := range []string{"../../*_test.go", "../../*/*_test.go", "../../*/*/*_test.go"} {
		for _, file := range kit.Must[[]string](t)(filepath.Glob(pattern)) {
			tests.Write(kit.Must[[]byte](t)(os.ReadFile(file)))
		}
	}
	names := regexp.MustCompile("`(Test\\w+)(?:/\\w+)?`").FindAllStringSubmatch(string(kit.Must[[]byte](t)(os.ReadFile("../../docs/security.md"))), -1)
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
		conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		for name, call := range map[string]func(s *authdb.Store) error{
			"a key": func(s *authdb.Store) error {
				return kit.ErrOf(s.Users.Create(authdb.Once(ctx, kit.NewID()), authdb.CreateUserParams{Email: "a@x.io"}))
			},
			"a store of keys": func(*authdb.Store) error {
				return kit.ErrOf(authdb.New(conn, authdb.WithOnce()).Users.Create(ctx, authdb.CreateUserParams{Email: "a@x.io"}))
			},
			"a lock":        func(s *authdb.Store) error { return kit.ErrOf(s.Sessions.DeleteByUser(ctx, "nobody")) },
			"a transaction": func(s *authdb.Store) error { return s.InTx(ctx, func(*authdb.Store) error { return nil }) },
		} {
			kit.Must[any](t)(conn.Exec(ctx, begin+`; INSERT INTO verification (id, identifier, value, expires_at) VALUES ('mine', '', '', now())`))
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
			kit.Must[any](t)(conn.Exec(ctx, "ROLLBACK"))
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
	s, ctx := kit.NewFixture(t), t.Context()
	a, b := kit.NewGuest(t, s), kit.NewGuest(t, s)
	kit.NewVerification(t, s, "mine", time.Hour)
	kit.NewVerification(t, s, "theirs", time.Hour)
	reserve := func(ctx context.Context, id string) error {
		return s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{Identifier: authdb.Secret(id), ExpiresAt: s.Now.Add(time.Hour)})
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
				return kit.ErrOf(s.Users.VerifyEmail(ctx, a.User.ID, authdb.VerifyEmailParams{Email: a.User.Email}))
			},
			func(ctx context.Context) error {
				return kit.ErrOf(s.Users.VerifyEmail(ctx, b.User.ID, authdb.VerifyEmailParams{Email: "wrong@x.io"}))
			},
		},
		"Invitations.Accept": {
			func(ctx context.Context) error {
				return kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: a.Inv.ID, UserID: a.User.ID}))
			},
			func(ctx context.Context) error {
				return kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: b.Inv.ID, UserID: a.User.ID}))
			},
		},
		"Sessions.DeleteByToken": {
			func(ctx context.Context) error { return s.Sessions.DeleteByToken(ctx, a.Session.Token) },
			func(ctx context.Context) error { return s.Sessions.DeleteByToken(ctx, b.Session.Token) },
		},
	} {
		key := authdb.Once(ctx, name)
		for range 2 {
			if err := calls[0](key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		kit.Fails(t, calls[1](key), authdb.ErrInvalidInput, name, "once")
	}
	err := s.InTx(ctx, func(tx *authdb.Store) error {
		return kit.ErrOf(tx.Users.Create(authdb.Once(ctx, "inside"), authdb.CreateUserParams{Email: "a@x.io"}))
	})
	kit.Fails(t, err, authdb.ErrInvalidInput, "Users.Create", "once")
}

// TestUnprovedAddressFindsNothing: the queries themselves, where the address is changed after the check before them.
func TestUnprovedAddressFindsNothing(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	g := kit.NewGuest(t, s)
	kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, g.User.ID, authdb.SetEmailParams{Email: g.User.Email}))
	q := dbgen.New(s.Pool())
	for _, allow := range []bool{false, true} {
		rows := kit.Must[[]dbgen.ListInvitationsByRecipientRow](t)(q.ListInvitationsByRecipient(ctx,
			dbgen.ListInvitationsByRecipientParams{UserID: g.User.ID, AllowUnverified: allow, RowLimit: 9}))
		_, err := q.GetInvitationByRecipient(ctx,
			dbgen.GetInvitationByRecipientParams{ID: g.Inv.ID, UserID: g.User.ID, AllowUnverified: allow})
		if len(rows) == 1 != allow || (err == nil) != allow {
			t.Errorf("allowed %v: %d rows, %v", allow, len(rows), err)
		}
	}
}

// TestOldCodesStayReplaced: taking away the newest code brings none back.
func TestOldCodesStayReplaced(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	create := func(identifier, value string) string {
		return kit.Must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(identifier), Value: authdb.Secret(value), ExpiresAt: s.Now.Add(time.Hour),
		})).ID
	}
	create("mail", "111111:0")
	create("other", "111111:0")
	if err := s.Verifications.Delete(ctx, create("mail", "222222:0")); err != nil {
		t.Fatal(err)
	}
	guess := authdb.ConsumeCodeParams{Identifier: "mail", Code: "111111"}
	kit.Fails(t, s.Verifications.ConsumeCode(ctx, guess), authdb.ErrNotFound, "Verifications.ConsumeCode", "")
	guess.Identifier = "other"
	if err := s.Verifications.ConsumeCode(ctx, guess); err != nil {
		t.Error(err)
	}
}

// TestSetEmailIsNoSecondDoor: an address that a squatter signed up with is proved by VerifyEmail alone.
func TestSetEmailIsNoSecondDoor(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	for _, proved := range []bool{false, true} {
		u := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = proved })
		set := func(email string, verified bool) authdb.User {
			return kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, u.ID, authdb.SetEmailParams{Email: email, Verified: verified}))
		}
		if got := set(strings.ToUpper(u.Email), true); got.EmailVerified != proved {
			t.Errorf("the same address: proved %v, was %v", got.EmailVerified, proved)
		}
		kit.Exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, u.ID) // as an older program wrote it
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
	s := kit.NewFixture(t)
	user := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
	session := authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
	kit.Exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, user.ID)
	got := kit.Must[authdb.VerifiedUser](t)(s.Users.VerifyEmail(t.Context(), user.ID, authdb.VerifyEmailParams{Email: user.Email}))
	if !got.User.EmailVerified || len(got.Sessions) != 1 || got.Sessions[0].ID != session.ID {
		t.Errorf("got %+v", got)
	}
}

// TestSeatsAllOrNone: a server that adds one of the seats and takes it away leaves the others refused or made, not both.
func TestSeatsAllOrNone(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	org, _ := kit.Owned(t, s)
	team := kit.Must[authdb.Team](t)(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID}))
	kit.Exec(t, s.Store, `INSERT INTO "user" (id, name, email) SELECT 'u' || i, '', 'u' || i || '@x.io' FROM generate_series(1, 3000) i`)
	kit.Exec(t, s.Store, `INSERT INTO member (id, organization_id, user_id, created_at)
		SELECT 'm' || i, $1, 'u' || i, now() FROM generate_series(1, 3000) i`, org.ID)
	var ids []string
	for i := range 3000 {
		ids = append(ids, fmt.Sprintf("u%d", i+1))
	}
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, s.Pool().Config().ConnString()))
	defer func() { _ = conn.Close(context.Background()) }()
	other := func(sql string, args ...any) { t.Helper(); kit.Must[any](t)(conn.Exec(ctx, sql, args...)) }
	other(`BEGIN`)
	other(`INSERT INTO team_member (id, team_id, user_id) VALUES ('other', $1, 'u1')`, team.ID)
	done := make(chan error)
	go func() { done <- kit.ErrOf(s.TeamMembers.CreateMany(ctx, kit.SeatsOf(org.ID, team.ID, 0, ids...))) }()
	for waits := 0; waits == 0; time.Sleep(time.Millisecond) {
		waits = kit.Count(t, s.Store, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`, conn.PgConn().PID())
	}
	other(`COMMIT`)
	other(`DELETE FROM team_member WHERE id = 'other'`)
	err, n := <-done, kit.Count(t, s.Store, `SELECT count(*) FROM team_member WHERE team_id = $1`, team.ID)
	if (err == nil) != (n >= 2999) || err != nil && n > 0 {
		t.Errorf("%v, and %d have joined", err, n)
	}
}

// TestRemovedStayRemoved: what was pending beside the membership is no way back.
func TestRemovedStayRemoved(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	add := func(g kit.Guest) authdb.Member {
		return kit.Must[authdb.Member](t)(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: g.Org.ID, UserID: g.User.ID}))
	}
	move := func(g kit.Guest, email string) {
		kit.Must[authdb.User](t)(s.Users.SetEmail(ctx, g.User.ID, authdb.SetEmailParams{Email: email, Verified: true}))
	}
	shout := func(g kit.Guest) {
		kit.Exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, g.User.ID)
	}
	second := func(g kit.Guest, email string) {
		kit.Exec(t, s.Store, `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
			SELECT $2 || id, organization_id, coalesce(nullif($3, ''), email), 'admin', status, expires_at, created_at, inviter_id
			FROM invitation WHERE id = $1`, g.Inv.ID, "second", email)
	}
	remove := func(g kit.Guest) error {
		m, err := s.Members.GetByUser(ctx, g.Org.ID, g.User.ID)
		if err != nil {
			return err
		}
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: g.Org.ID, MemberID: m.ID})
	}
	for name, goes := range map[string]func(g kit.Guest) error{
		"added": func(g kit.Guest) error {
			add(g)
			return remove(g)
		},
		"added by a server": func(g kit.Guest) error {
			kit.Exec(t, s.Store, `INSERT INTO member VALUES ('theirs', $1, $2, 'member', now())`, g.Org.ID, g.User.ID)
			return remove(g)
		},
		"invited twice": func(g kit.Guest) error {
			second(g, "")
			kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx,
				authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID}))
			return remove(g)
		},
		"invited twice, once in capitals": func(g kit.Guest) error {
			second(g, "")
			kit.Exec(t, s.Store, `UPDATE invitation SET email = upper(email) WHERE id = $1`, g.Inv.ID)
			shout(g)
			kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(ctx,
				authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: g.User.ID}))
			return remove(g)
		},
		"elsewhere before added": func(g kit.Guest) error {
			move(g, "before@x.io")
			add(g)
			return remove(g)
		},
		"added, and elsewhere when removed": func(g kit.Guest) error {
			add(g)
			move(g, "elsewhere@x.io")
			return remove(g)
		},
		"added with others, and elsewhere when removed": func(g kit.Guest) error {
			kit.Must[[]authdb.Member](t)(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{
				{OrganizationID: g.Org.ID, UserID: authdbtest.User(t, s.Store).ID}, {OrganizationID: g.Org.ID, UserID: g.User.ID},
			}))
			kit.Exec(t, s.Store, `UPDATE "user" SET email = 'by-a-server@x.io' WHERE id = $1`, g.User.ID)
			return remove(g)
		},
		"added in capitals": func(g kit.Guest) error {
			shout(g)
			add(g)
			kit.Exec(t, s.Store, `UPDATE "user" SET email = 'shouted@x.io' WHERE id = $1`, g.User.ID)
			return remove(g)
		},
		"added with others in capitals": func(g kit.Guest) error {
			shout(g)
			kit.Must[[]authdb.Member](t)(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: g.Org.ID, UserID: g.User.ID}}))
			kit.Exec(t, s.Store, `UPDATE "user" SET email = 'shouted-2@x.io' WHERE id = $1`, g.User.ID)
			return remove(g)
		},
		"removed in capitals": func(g kit.Guest) error {
			kit.Exec(t, s.Store, `INSERT INTO member VALUES ('loud', $1, $2, 'member', now())`, g.Org.ID, g.User.ID)
			shout(g)
			return remove(g)
		},
		"elsewhere when added, and there in between": func(g kit.Guest) error {
			move(g, "a@x.io")
			add(g)
			move(g, g.User.Email)
			move(g, "c@x.io")
			return remove(g)
		},
		"there in capitals in between": func(g kit.Guest) error {
			move(g, "d@x.io")
			add(g)
			move(g, g.User.Email)
			shout(g)
			move(g, "e@x.io")
			return remove(g)
		},
		"deleted": func(g kit.Guest) error {
			kit.Exec(t, s.Store, `INSERT INTO member VALUES ('deleted', $1, $2, 'member', now())`, g.Org.ID, g.User.ID)
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.User.ID}))
		},
		"deleted in capitals": func(g kit.Guest) error {
			kit.Exec(t, s.Store, `INSERT INTO member VALUES ('deleted-2', $1, $2, 'member', now())`, g.Org.ID, g.User.ID)
			shout(g)
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.User.ID}))
		},
		"a successor, and elsewhere when removed": func(g kit.Guest) error {
			kit.Exec(t, s.Store, `UPDATE member SET role = 'admin' WHERE id = $1`, g.CoOwner.ID)
			kit.Exec(t, s.Store, `UPDATE invitation SET inviter_id = $2 WHERE id = $1`, g.Inv.ID, g.CoOwner.UserID)
			shout(g)
			if err := kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: g.Tenant.User.ID, SuccessorID: g.User.ID})); err != nil {
				return err
			}
			kit.Exec(t, s.Store, `UPDATE member SET role = 'owner' WHERE id = $1`, g.CoOwner.ID)
			kit.Exec(t, s.Store, `UPDATE "user" SET email = 'heir@x.io' WHERE id = $1`, g.User.ID)
			return remove(g)
		},
	} {
		g := kit.NewGuest(t, s, func(p *authdb.CreateInvitationParams) { p.Role = "admin" })
		if err := goes(g); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kit.Exec(t, s.Store, `INSERT INTO "user" (id, name, email, email_verified, updated_at) VALUES ($1, '', $2, true, now())
			ON CONFLICT (id) DO UPDATE SET email = excluded.email`, g.User.ID, g.User.Email)
		for _, id := range []string{g.Inv.ID, "second" + g.Inv.ID} {
			if back, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: g.User.ID}); err == nil {
				t.Errorf("%s, removed, and back as %s", name, back.Member.Role)
			}
		}
	}
}

// TestGuessesEndWhateverStringsMean: a limit that a setting of the role or the database takes away is none.
func TestGuessesEndWhateverStringsMean(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	dsn := s.Pool().Config().ConnString()
	kit.Exec(t, s.Store, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database());
		EXECUTE format('ALTER DATABASE %I SET client_encoding = LATIN1', current_database());
		END $$`)
	opened := kit.Must[*authdb.Store](t)(authdb.Open(ctx, dsn))
	defer opened.Close()
	var strs, encoding string
	if err := opened.Pool().QueryRow(ctx, `SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding')`).
		Scan(&strs, &encoding); err != nil || strs != "on" || encoding != "UTF8" {
		t.Errorf("strings %s, encoding %s, %v", strs, encoding, err)
	}
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
	defer func() { _ = conn.Close(context.Background()) }()
	for i, db := range []*authdb.Store{opened, authdb.New(conn)} {
		id := authdb.Secret(fmt.Sprint("code", i))
		kit.Must[authdb.Verification](t)(db.Verifications.Create(ctx, authdb.CreateVerificationParams{
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
	s, ctx := kit.NewFixture(t), t.Context()
	long := strings.Repeat(",", 16<<20)
	for name, call := range map[string]func() error{
		"Invitations.Create": func() error {
			return kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: "o", InviterID: "u", Email: "a@x.io", Role: long}))
		},
		"Members.Create": func() error {
			return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: "o", UserID: "u", Role: long}))
		},
		"Members.CreateMany": func() error {
			return kit.ErrOf(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: "o", UserID: "u", Role: long}}))
		},
		"Members.Update": func() error {
			return kit.ErrOf(s.Members.Update(ctx, "o", "m", authdb.UpdateMemberParams{Role: authdb.Set(long)}))
		},
		"Members.List": func() error {
			return kit.ErrOf(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: "o", Role: long}))
		},
		"Members.Count": func() error {
			return kit.ErrOf(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: "o", Role: long}))
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := call()
		runtime.ReadMemStats(&after)
		kit.Fails(t, err, authdb.ErrInvalidInput, name, "role")
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 8 {
			t.Errorf("%s: %d MB", name, mb)
		}
	}
}

// TestRefusalDoesNotTellWhatIsThere: an invitation to somebody else reads like none.
func TestRefusalDoesNotTellWhatIsThere(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	g, stranger := kit.NewGuest(t, s), authdbtest.User(t, s.Store)
	for name, call := range map[string]func(id string) error{
		"Accept": func(id string) error {
			return kit.ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: stranger.ID}))
		},
		"Reject": func(id string) error {
			return kit.ErrOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: id, UserID: stranger.ID}))
		},
	} {
		there, not := call(g.Inv.ID), call("nothing")
		if there.Error() != not.Error() || !errors.Is(there, authdb.ErrNotRecipient) || errors.Is(not, authdb.ErrNotRecipient) {
			t.Errorf("%s: %v | %v", name, there, not)
		}
	}
}
