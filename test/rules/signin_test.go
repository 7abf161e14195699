package rules_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/signin"
)

// refusedBy makes what a Repo returned the error that package signin returns.
func refusedBy(err error) error {
	return bridge.Error("signin", err, map[repo.RefusalError]error{
		"wrong password": signin.ErrInvalidCredentials, "invalid token": signin.ErrInvalidToken, "nobody": signin.ErrSignUpDisabled,
	})
}

// signInScenarios are about package signin, behind its hashes: bob and olga have a password, eve an address that is not
// proved.
func signInScenarios() []scenario {
	const (
		session = ` expires_at=06-02T12:00:00 ip_address= `
		factor  = `UPDATE "user" SET two_factor_enabled = true WHERE id = 'bob';`
		device  = `INSERT INTO verification VALUES ('device', 'dev', 'bob', '2026-06-01 12:01', '2026-05-30', '2026-05-30'),
			('device-2', 'other-dev', 'bob', '2026-06-01 12:01', '2026-05-30', '2026-05-30');`
		banned = `UPDATE "user" SET banned = true WHERE id = 'bob';`
		over   = `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59:59.999' WHERE id = 'bob';`
		made   = `+ session new1` + session + `token=token2 user_agent= user_id=bob`
		asked  = `+ verification new5 expires_at=06-01T12:10:00 identifier=2fa-token3 value=bob`
		counts = "\n" + `+ verification new6 expires_at=06-01T12:10:00 identifier=2fa-attempts-2fa-token3 value=0`
	)
	signs := func(edit func(p *dbgen.SignInByPasswordParams)) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			p := dbgen.SignInByPasswordParams{
				UserID: "bob", AccountID: "bob-password", Password: "hash", IPAddress: new(""), UserAgent: new(""),
			}
			if edit != nil {
				edit(&p)
			}
			_, err := bridge.Repo(s).SignInByPassword(ctx, "sign in", p, 24*time.Hour, repo.SecondFactor{
				ChallengeLifetime: 10 * time.Minute, DeviceLifetime: time.Hour, CountsAttempts: true,
				Stored: func(identifier string) string { return identifier },
			})
			return refusedBy(err)
		}
	}
	trusts := func(p *dbgen.SignInByPasswordParams) { p.Device = "dev" }
	renewed := "\n" + `- verification device` + "\n" + `+ verification new7 expires_at=06-01T13:00:00 identifier=trust-device-token4 value=bob`
	all := []scenario{
		{name: "a password signs in", do: signs(nil), changes: made},
		{name: "a password that is another", do: signs(func(p *dbgen.SignInByPasswordParams) { p.Password = "hash2" }), fails: signin.ErrInvalidCredentials},
		{name: "a password of another user", do: signs(func(p *dbgen.SignInByPasswordParams) { p.AccountID = "olga-password" }), fails: signin.ErrInvalidCredentials},
		{name: "a password of no account", do: signs(func(p *dbgen.SignInByPasswordParams) { p.AccountID = "none" }), fails: signin.ErrInvalidCredentials},
		{name: "a password of nobody", do: signs(func(p *dbgen.SignInByPasswordParams) { p.UserID = "nobody" }), fails: signin.ErrInvalidCredentials},
		{
			name: "a password that is changed meanwhile", rival: `UPDATE account SET password = 'new' WHERE id = 'bob-password'`,
			do: signs(nil), fails: signin.ErrInvalidCredentials, changes: `~ account bob-password password=new`,
		},
		{
			name:  "an address that must be proved",
			given: `UPDATE "user" SET email_verified = false WHERE id = 'bob'`,
			do:    signs(func(p *dbgen.SignInByPasswordParams) { p.VerifiedOnly = true }), fails: authdb.ErrEmailNotVerified,
		},
		{name: "an address that need not be proved", given: `UPDATE "user" SET email_verified = false WHERE id = 'bob'`, do: signs(nil), changes: made},
		{name: "an address that is proved", do: signs(func(p *dbgen.SignInByPasswordParams) { p.VerifiedOnly = true }), changes: made},
		{name: "a second factor", given: factor, do: signs(nil), changes: asked + counts},
		{name: "a second factor of a device that is unknown", given: factor, do: signs(trusts), changes: asked + counts},
		{name: "a trusted device", given: factor + device, do: signs(trusts), changes: made + renewed},
		{
			name: "a device of another user", given: factor + device + `UPDATE verification SET value = 'olga' WHERE id = 'device'`,
			do: signs(trusts), changes: asked + counts,
		},
		{
			name: "a device that is trusted until now", given: factor + device + `UPDATE verification SET expires_at = '2026-06-01 12:00' WHERE id = 'device'`,
			do: signs(trusts), changes: asked + counts,
		},
		{
			name: "a device that is used up meanwhile", given: factor + device, rival: `DELETE FROM verification WHERE id = 'device'`,
			do: signs(trusts), changes: "- verification device\n" + asked + counts,
		},
		{name: "a device of who has no second factor", given: device, do: signs(trusts), changes: made},
		{
			name: "a device that is trusted without a row", given: factor + device,
			do: signs(func(p *dbgen.SignInByPasswordParams) { p.Trusted = true }), changes: made,
		},
		{
			name: "a second factor that is switched on meanwhile", rival: factor, do: signs(nil),
			changes: "~ user bob two_factor_enabled=true\n" + asked + counts,
		},
		{
			name: "a sign-in locks the user before the account",
			run: inOrder(`SELECT FROM account WHERE id = 'bob-password' FOR UPDATE`, `SELECT FROM "user" WHERE id = 'bob' FOR NO KEY UPDATE`,
				signs(nil)),
		},
	}
	for _, c := range []struct {
		name, given, changes string
		fails                error
	}{
		{name: "banned", given: banned, fails: authdb.ErrBanned},
		{name: "banned until now", given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'bob'`, fails: authdb.ErrBanned},
		{name: "banned until just before", given: over, changes: "~ user bob ban_expires=NULL banned=false updated\n" + made},
		{name: "no longer banned", given: over + `UPDATE "user" SET banned = false WHERE id = 'bob'`, changes: made},
		{name: "banned, with a second factor", given: banned + factor, fails: authdb.ErrBanned},
	} {
		all = append(all, scenario{name: "a password of who is " + c.name, given: c.given, do: signs(nil), fails: c.fails, changes: c.changes})
	}
	return append(append(append(all, proofScenarios()...), resetScenarios()...), changeScenarios()...)
}

// proofScenarios are about who has proved an address by a link or a code.
func proofScenarios() []scenario {
	const (
		squat = `INSERT INTO account (id, user_id, provider_id, account_id, password, created_at, updated_at) VALUES
			('eve-password', 'eve', 'credential', 'eve', 'hash', '2026-01-01', '2026-01-01'),
			('eve-github', 'eve', 'github', '104', NULL, '2026-01-01', '2026-01-01');
			INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES
			('eve1', 'token-eve1', 'eve', '2026-07-01', '2026-05-20', '2026-05-30');`
		signed = ` expires_at=06-08T12:00:00 ip_address= token=token3 user_agent= user_id=`
		verify = "~ user eve email_verified=true updated\n"
	)
	proves := func(email string, edit func(p *dbgen.SignInProvedParams), ended ...int) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			p := dbgen.SignInProvedParams{
				Email: email + "@x.io", Name: "New", SignUp: true, RevokeAccounts: true, RevokePassword: true,
				IPAddress: new(""), UserAgent: new(""),
			}
			if edit != nil {
				edit(&p)
			}
			user, in, err := bridge.Repo(s).SignInProved(ctx, "prove", p)
			if err != nil {
				return refusedBy(err)
			}
			return returned(fmt.Sprint(user.Email, len(in.Ended)), fmt.Sprint(p.Email, append(ended, 0)[0]), nil)
		}
	}
	older := func(p *dbgen.SignInProvedParams) { p.RevokeAccounts = false }
	oldest := func(p *dbgen.SignInProvedParams) { p.RevokeAccounts, p.RevokePassword = false, false }
	alone := func(p *dbgen.SignInProvedParams) { oldest(p); p.SignUp, p.NoSession = false, true }
	once := func(user string) func(p *dbgen.SignInProvedParams) {
		return func(p *dbgen.SignInProvedParams) { oldest(p); p.SignUp, p.UserID = false, user }
	}
	const eve = `+ session new1` + signed + `eve`
	return []scenario{
		{name: "a proof of who is known", do: proves("bob", nil), changes: `+ session new1` + signed + `bob`},
		{
			name: "a proof of who is not", given: squat, do: proves("eve", nil, 1),
			changes: verify + "- account eve-password\n- account eve-github\n- session eve1\n" + eve,
		},
		{name: "a proof as of 1.6", given: squat, do: proves("eve", older, 1), changes: verify + "- account eve-password\n- session eve1\n" + eve},
		{name: "a proof as before 1.6", given: squat, do: proves("eve", oldest), changes: verify + eve},
		{
			name: "a proof of nobody's address", do: proves("gus", nil),
			changes: `+ user new2 banned=false email=gus@x.io email_verified=true name=New two_factor_enabled=false` + "\n" + `+ session new1` + signed + `new2`,
		},
		{
			name: "a proof of nobody's address, where nobody may sign up",
			do:   proves("gus", func(p *dbgen.SignInProvedParams) { p.SignUp = false }), fails: signin.ErrSignUpDisabled,
		},
		{name: "a proof that signs nobody in", given: squat, do: proves("eve", alone), changes: verify},
		{
			name: "a proof that signs nobody in, of who is banned", given: squat + `UPDATE "user" SET banned = true WHERE id = 'eve'`,
			do: proves("eve", alone), changes: verify,
		},
		{name: "a proof that signs in once", given: squat, do: proves("eve", once("eve")), changes: verify + eve},
		{name: "a proof that signs in once, again", do: proves("bob", once("bob"))},
		{name: "a proof of another user", do: proves("eve", once("bob")), fails: signin.ErrSignUpDisabled},
		{
			name: "a proof of who is banned", given: squat + `UPDATE "user" SET banned = true WHERE id = 'eve'`, do: proves("eve", nil),
			fails: authdb.ErrBanned, changes: verify + "- account eve-password\n- account eve-github\n- session eve1",
		},
		{
			name: "a proof of who is banned until now", given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'bob'`,
			do: proves("bob", nil), fails: authdb.ErrBanned,
		},
		{
			name: "a proof of who was banned", given: squat + `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59' WHERE id = 'eve'`,
			do:      proves("eve", nil, 1),
			changes: "~ user eve ban_expires=NULL banned=false email_verified=true updated\n- account eve-password\n- account eve-github\n- session eve1\n" + eve,
		},
		{
			name: "a proof of who is no longer banned", given: `UPDATE "user" SET banned = false, ban_expires = '2026-06-01 11:59' WHERE id = 'bob'`,
			do: proves("bob", nil), changes: `+ session new1` + signed + `bob`,
		},
		{
			name: "a proof while a squatter signs in", given: squat,
			rival: `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ('eve2', 't', 'eve', '2026-07-01', '2026-05-20', '2026-05-30')`,
			do:    proves("eve", nil, 2), changes: verify + "- account eve-password\n- account eve-github\n- session eve1\n" + eve,
		},
		{
			name: "a proof waits for nobody else", rival: `UPDATE "user" SET image = 'i' WHERE id = 'ann'`, skips: true,
			do: proves("bob", nil), changes: "~ user ann image=i\n" + `+ session new1` + signed + `bob`,
		},
		{
			name: "a proof of who was banned, while a squatter signs in", given: squat + wasBanned + `WHERE id = 'eve'`,
			run: whileSignedIn("eve", proves("eve", nil, 2)),
		},
		{
			name: "a proof of an address that is another's by then keeps sign-ins of that one away",
			run: func(ctx context.Context, s *stage) error {
				a, err := s.actor(ctx, 0)
				if err != nil {
					return err
				}
				rival, err := s.actor(ctx, 1)
				if err != nil {
					return err
				}
				if _, err := rival.conn.Exec(ctx, `BEGIN; UPDATE "user" SET email = 'eva@x.io' WHERE id = 'eve';
					UPDATE "user" SET email = 'eve@x.io', email_verified = false WHERE id = 'dan'`); err != nil {
					return err
				}
				defer func() { _, _ = rival.conn.Exec(ctx, "ROLLBACK") }()
				op := a.start(ctx, func(ctx context.Context, store *authdb.Store) error {
					return store.InTx(ctx, func(tx *authdb.Store) error {
						if err := proves("eve", nil, 2)(ctx, tx); err != nil {
							return err
						}
						var free int
						err := s.admin.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM "user" WHERE id = 'dan' FOR KEY SHARE SKIP LOCKED) free`).Scan(&free)
						return returned(free, 0, err)
					})
				})
				if waits, err := op.waits(ctx, rival); err != nil || !waits {
					return fmt.Errorf("does not wait for the address: %w", errors.Join(err, op.ended()))
				}
				if _, err := rival.conn.Exec(ctx, "COMMIT"); err != nil {
					return err
				}
				return op.wait(ctx)
			},
		},
	}
}

const wasBanned = `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59' `

// whileSignedIn is an operation that lifts a ban, with a session that another program has made when it does.
func whileSignedIn(user string, do operation) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		a, err := s.actor(ctx, 0)
		if err != nil {
			return err
		}
		rival, err := s.actor(ctx, 1)
		if err != nil {
			return err
		}
		conn, flights := mutatingConn{mutating{a.conn, &s.guard, s.sent, nil}, a.conn}, 0
		op := a.start(ctx, func(ctx context.Context, _ *authdb.Store) error {
			return do(ctx, s.store(beforeBatch{conn, func() {
				if flights++; flights == 2 {
					if _, err := rival.conn.Exec(ctx, `BEGIN; INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at)
						VALUES ('late', 'late', '`+user+`', '2026-07-01', '2026-05-20', '2026-05-30')`); err != nil {
						panic(err)
					}
				}
			}}))
		})
		defer func() { _, _ = rival.conn.Exec(ctx, "ROLLBACK") }()
		if waits, err := op.waits(ctx, rival); err != nil || !waits {
			return fmt.Errorf("does not wait for the session: %w", errors.Join(err, op.ended()))
		}
		if _, err := rival.conn.Exec(ctx, "COMMIT"); err != nil {
			return err
		}
		if err := op.wait(ctx); err != nil {
			return err
		}
		var left int
		err = s.admin.QueryRow(ctx, `SELECT count(*) FROM session WHERE id = 'late'`).Scan(&left)
		return returned(left, 0, err)
	}
}

// resetScenarios are about passwords that are reset, and what is asked for before.
func resetScenarios() []scenario {
	const (
		given = `INSERT INTO verification VALUES ('r1', 'reset-1', 'bob', '2026-06-01 12:01', '2026-06-01 11:00', '2026-05-30'),
			('r2', 'reset-2', 'bob', '2026-06-01 12:01', '2026-06-01 11:00', '2026-05-30');`
		used    = "- verification r1\n"
		changed = "~ account bob-password password=new updated\n"
	)
	resets := func(edit func(p *dbgen.ResetPasswordParams)) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			p := dbgen.ResetPasswordParams{Identifier: "reset-1", UserID: "bob", Password: "new"}
			if edit != nil {
				edit(&p)
			}
			_, err := bridge.Repo(s).ResetPassword(ctx, "reset", p)
			return refusedBy(err)
		}
	}
	requests := func(email string, value *string, anybody bool, want string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			user, err := bridge.Repo(s).CreateVerificationOfUser(ctx, "request", dbgen.CreateVerificationOfUserParams{
				Email: email + "@x.io", Identifier: "code", Value: value, Anybody: anybody,
			}, time.Hour, "")
			if err != nil {
				return refusedBy(err)
			}
			v, err := s.Verifications.GetByIdentifier(ctx, "code")
			return returned(user.ID+v.CreatedAt.Format(" 15:04:05.000 ")+v.ID, want, err)
		}
	}
	revoke := func(p *dbgen.ResetPasswordParams) { p.RevokeSessions = true }
	lax := func(p *dbgen.ResetPasswordParams) { p.AnyAccountID = true }
	byCode := func(p *dbgen.ResetPasswordParams) { p.Identifier, p.Email = "", "bob@x.io" }
	const unproved = `UPDATE "user" SET email_verified = false WHERE id = 'bob';`
	return []scenario{
		{name: "a reset", given: given, do: resets(nil), changes: used + changed},
		{
			name: "a reset that ends sessions", given: given, do: resets(revoke),
			changes: used + changed + "- session bob1\n- session bob2\n- session bob3\n- session bob-old",
		},
		{name: "a reset that is unknown", do: resets(nil), fails: signin.ErrInvalidToken},
		{name: "a reset proves no address", given: given + unproved, do: resets(nil), changes: used + changed},
		{name: "a reset by a code", do: resets(byCode), changes: changed},
		{
			name: "a reset by a code proves the address", given: unproved, do: resets(byCode),
			changes: "~ user bob email_verified=true updated\n" + changed,
		},
		{
			name: "a reset by a code of an address that is another by then", given: unproved + `UPDATE "user" SET email = 'b@x.io' WHERE id = 'bob'`,
			do: resets(byCode), fails: signin.ErrInvalidToken,
		},
		{name: "a reset that is unknown ends nothing", do: resets(revoke), fails: signin.ErrInvalidToken},
		{
			name: "a reset until now", given: given + `UPDATE verification SET expires_at = '2026-06-01 12:00' WHERE id = 'r1'`,
			do: resets(nil), fails: signin.ErrInvalidToken,
		},
		{name: "a reset of another", given: given + `UPDATE verification SET value = 'olga' WHERE id = 'r1'`, do: resets(nil), fails: signin.ErrInvalidToken},
		{
			name: "a reset that another replaced", given: given + `INSERT INTO verification VALUES ('r3', 'reset-1', 'olga', '2026-06-01 12:01', '2026-06-01 11:01', '2026-05-30')`,
			do: resets(nil), fails: signin.ErrInvalidToken,
		},
		{
			name: "the newer of two resets of a moment", given: given + `INSERT INTO verification VALUES ('r0', 'reset-1', 'olga', '2026-06-01 12:01', '2026-06-01 11:00', '2026-05-30')`,
			do: resets(nil), changes: used + "- verification r0\n" + changed,
		},
		{
			name: "a reset that is used up meanwhile", given: given, rival: `DELETE FROM verification WHERE id = 'r1'`,
			do: resets(nil), fails: signin.ErrInvalidToken, changes: "- verification r1",
		},
		{
			name: "a reset of who is gone", given: given + `UPDATE verification SET value = 'gone' WHERE id = 'r1'`,
			do: resets(func(p *dbgen.ResetPasswordParams) { p.UserID = "gone" }), fails: signin.ErrInvalidToken,
		},
		{
			name: "a reset of who has no password", given: given + `DELETE FROM account WHERE id = 'bob-password'`, do: resets(nil),
			changes: used + `+ account new1 account_id=bob password=new provider_id=credential user_id=bob`,
		},
		{
			name: "a reset of an account of another id", given: given + `UPDATE account SET account_id = 'b' WHERE id = 'bob-password'`, do: resets(lax),
			changes: used + changed,
		},
		{
			name: "a reset beside an account of another id", given: given + `UPDATE account SET account_id = 'b' WHERE id = 'bob-password'`, do: resets(nil),
			changes: used + `+ account new1 account_id=bob password=new provider_id=credential user_id=bob`,
		},
		{
			name:    "a reset while somebody signs in",
			given:   given,
			rival:   `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ('bob4', 't', 'bob', '2026-07-01', '2026-05-20', '2026-05-30')`,
			do:      resets(revoke),
			changes: used + changed + "- session bob1\n- session bob2\n- session bob3\n- session bob-old",
		},
		{
			name: "a request", do: requests("bob", nil, false, "bob 12:00:00.000 new1"),
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=code value=bob`,
		},
		{name: "a request for nobody", do: requests("gus", nil, false, " 11:01:00.000 code-a")},
		{
			name: "a request for anybody", do: requests("gus", new("1:0"), true, " 12:00:00.000 new1"),
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=code value=1:0`,
		},
		{
			name: "a request for somebody among anybody", do: requests("bob", new("1:0"), true, "bob 12:00:00.000 new1"),
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=code value=1:0`,
		},
		{
			name:    "a request is the newest",
			do:      requests("bob", nil, false, "bob 12:05:00.001 new1"),
			given:   `UPDATE verification SET created_at = '2026-06-01 12:05' WHERE id = 'code-b'; UPDATE verification SET created_at = '2027-01-01' WHERE id = 'twin-a'`,
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=code value=bob`,
		},
	}
}

// changeScenarios are about passwords and addresses that are changed.
func changeScenarios() []scenario {
	const changed = "~ account bob-password password=new updated\n"
	const ended = "- session bob1\n- session bob2\n- session bob3\n- session bob-old\n"
	const made = `+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=bob`
	changes := func(edit func(p *dbgen.ChangePasswordParams)) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			p := dbgen.ChangePasswordParams{UserID: "bob", AccountID: "bob-password", Current: "hash", Password: "new"}
			if edit != nil {
				edit(&p)
			}
			_, err := bridge.Repo(s).ChangePassword(ctx, "change", p, dbgen.SignInByPasswordParams{IPAddress: new(""), UserAgent: new("")},
				repo.SecondFactor{Stored: func(identifier string) string { return identifier }})
			return refusedBy(err)
		}
	}
	revoke := func(p *dbgen.ChangePasswordParams) { p.RevokeSessions = true }
	moves := func(former string, verified *bool, unproved ...bool) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			r := bridge.Repo(s)
			user, err := repo.Update(ctx, r, "move", (*repo.Queries).SetUserEmail, dbgen.SetUserEmailParams{
				ID: "bob", Email: "rob@x.io", Former: &former, EmailVerified: verified, Unproved: len(unproved) > 0, Now: r.Now(),
			}, (*repo.Queries).GetUser, "bob")
			if err != nil {
				return refusedBy(err)
			}
			return returned(user.Email, "rob@x.io", nil)
		}
	}
	return []scenario{
		{name: "a change of a password", do: changes(nil), changes: changed},
		{name: "a change of a password that ends sessions", do: changes(revoke), changes: changed + ended + made},
		{name: "a change of another password", do: changes(func(p *dbgen.ChangePasswordParams) { p.Current, p.RevokeSessions = "hash2", true }), fails: signin.ErrInvalidCredentials},
		{name: "a change of no account", do: changes(func(p *dbgen.ChangePasswordParams) { p.AccountID = "none" }), fails: signin.ErrInvalidCredentials},
		{name: "a change of another's account", do: changes(func(p *dbgen.ChangePasswordParams) { p.AccountID = "olga-password" }), fails: signin.ErrInvalidCredentials},
		{
			name: "a password that is changed twice", rival: `UPDATE account SET password = 'newer' WHERE id = 'bob-password'`,
			do: changes(revoke), fails: signin.ErrInvalidCredentials, changes: `~ account bob-password password=newer`,
		},
		{
			name:  "a change of a password while somebody signs in",
			rival: `INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES ('bob4', 't', 'bob', '2026-07-01', '2026-05-20', '2026-05-30')`,
			do:    changes(revoke), changes: changed + ended + made,
		},
		{name: "a change of who is banned", given: `UPDATE "user" SET banned = true WHERE id = 'bob'`, do: changes(revoke), fails: authdb.ErrBanned},
		{name: "a change without a session of who is banned", given: `UPDATE "user" SET banned = true WHERE id = 'bob'`, do: changes(nil), changes: changed},
		{
			name: "a change of who is banned until now", given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'bob'`,
			do: changes(revoke), fails: authdb.ErrBanned,
		},
		{
			name: "a change of who was banned", given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59' WHERE id = 'bob'`,
			do: changes(revoke), changes: "~ user bob ban_expires=NULL banned=false updated\n" + changed + ended + made,
		},
		{
			name: "a change of who is no longer banned", given: `UPDATE "user" SET banned = false, ban_expires = '2026-06-01 11:59' WHERE id = 'bob'`,
			do: changes(revoke), changes: changed + ended + made,
		},
		{name: "a change of who was banned, while somebody signs in", given: wasBanned + `WHERE id = 'bob'`, run: whileSignedIn("bob", changes(revoke))},
		{name: "a change of an address", do: moves("bob@x.io", nil), changes: `~ user bob email=rob@x.io updated`},
		{name: "a change of a former address", do: moves("rob@x.io", nil), fails: authdb.ErrNotFound},
		{name: "a change of a former address cancels nothing", given: pendingOfBob, do: moves("rob@x.io", nil), fails: authdb.ErrNotFound},
		{
			name: "a change of an address with capitals", given: `UPDATE "user" SET email = 'Bob@x.io' WHERE id = 'bob'`,
			do: moves("bob@x.io", nil), changes: `~ user bob email=rob@x.io updated`,
		},
		{
			name: "a change of an address that is not proved", given: `UPDATE "user" SET email_verified = false WHERE id = 'bob'`,
			do: moves("bob@x.io", nil, true), changes: `~ user bob email=rob@x.io updated`,
		},
		{
			name: "a change of an address that was not proved when it was asked for", given: pendingOfBob,
			do: moves("bob@x.io", nil, true), fails: authdb.ErrNotFound,
		},
		{
			name: "a change of an address that is proved by it", given: `UPDATE "user" SET email_verified = false WHERE id = 'bob'`,
			do: moves("bob@x.io", new(true)), changes: `~ user bob email=rob@x.io email_verified=true updated`,
		},
		{
			name: "two changes of an address", rival: `UPDATE "user" SET email = 'bo@x.io' WHERE id = 'bob'`,
			do: moves("bob@x.io", nil), fails: authdb.ErrNotFound, changes: `~ user bob email=bo@x.io`,
		},
	}
}
