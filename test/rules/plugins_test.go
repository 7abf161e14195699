package rules_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/permission"
)

// beforeBatch is a connection on which something happens before each batch.
type beforeBatch struct {
	mutatingConn
	happens func()
}

func (b beforeBatch) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	b.happens()
	return b.mutatingConn.SendBatch(ctx, batch)
}

// withPlugins adds scenarios about plugins, and the others that authenticate on stores that know of them.
func withPlugins(all []scenario) []scenario {
	for _, sc := range slices.Clone(all) {
		if strings.Contains(sc.name, "session opens") {
			for name, plugins := range map[string]authdb.Plugins{"admin": {Admin: true}, "roles": {DynamicRoles: true}, "admin and roles": {Admin: true, DynamicRoles: true}, "none of the columns": {RefuseBanned: true}} {
				sc := sc
				sc.name, sc.plugins = sc.name+", with plugin "+name, plugins
				all = append(all, sc)
			}
		}
	}
	return slices.Concat(all, platformScenarios(), banScenarios(), adminScenarios(), actorScenarios(),
		apiKeyScenarios(), signInScenarios(), verifyScenarios())
}

// platformScenarios are about what the plugins say of who is signed in.
func platformScenarios() (all []scenario) {
	says := func(session, want string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			a, err := s.Sessions.Authenticate(ctx, authdb.Secret("token-"+session))
			many, manyErr := s.Sessions.AuthenticateMany(ctx, []authdb.Secret{authdb.Secret("token-" + session)})
			switch {
			case manyErr != nil || len(many) == 1 != (err == nil):
				return fmt.Errorf("alone %w, in a list %d, %w", err, len(many), manyErr)
			case err != nil:
				return err
			case !cmp.Equal(a, many[0], cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)):
				return fmt.Errorf("alone and in a list: %s", cmp.Diff(a, many[0]))
			}
			for _, granted := range a.Roles {
				for _, actions := range granted {
					slices.Sort(actions)
				}
			}
			expires := "never"
			if a.Platform.BanExpires != nil {
				expires = a.Platform.BanExpires.Format("02 15:04")
			}
			return returned(fmt.Sprint(a.Platform.Role, " ", a.Platform.Banned, " ", a.Platform.BanReason, " ", expires, " by ",
				a.Platform.ImpersonatedBy, " ", a.Roles), want, nil)
		}
	}
	const roles = `INSERT INTO organization_role (id, organization_id, role, permission) VALUES
		('2', 'acme', 'sales', '{"project":["read"]}'), ('1', 'acme', 'sales', '{"project":["create"],"ac":[]}'),
		('0', 'acme', 'other', '{"project":["update"]}'), ('3', 'globex', 'sales', '{"project":["delete"]}'), ('4', 'acme', 'broken', '["project"]'),
		('5', 'acme', 'ale', '{"project":["delete"]}')`
	for _, c := range []struct {
		name, given, session, want string
		refuse                     bool
		fails                      error
	}{
		{name: "nothing", session: "dan1", want: "admin false  never by  map[]"},
		{
			name: "a ban", session: "dan1", want: "admin true spam never by  map[]",
			given: `UPDATE "user" SET banned = true, ban_reason = 'spam' WHERE id = 'dan'`,
		},
		{
			name: "a ban until now", session: "dan1", want: "admin true  01 12:00 by  map[]",
			given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'dan'`,
		},
		{
			name: "a ban that is over", session: "dan1", want: "admin false  01 11:59 by  map[]", refuse: true,
			given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59' WHERE id = 'dan'`,
		},
		{name: "a ban that is refused", session: "dan1", refuse: true, fails: authdb.ErrBanned, given: `UPDATE "user" SET banned = true WHERE id = 'dan'`},
		{
			name: "impersonation", session: "dan1", want: "admin false  never by olga map[]",
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1'`,
		},
		{
			name: "impersonation while another is banned", session: "dan1", want: "admin false  never by olga map[]",
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1'; UPDATE "user" SET banned = true WHERE id = 'bob'`,
		},
		{
			name: "impersonation by who is banned", session: "dan1", want: "admin true  never by olga map[]",
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1'; UPDATE "user" SET banned = true WHERE id = 'olga'`,
		},
		{
			name: "impersonation by who is banned until now", session: "dan1", refuse: true, fails: authdb.ErrBanned,
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1';
				UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'olga'`,
		},
		{
			name: "impersonation by who is deleted", session: "dan1", want: "admin true  never by gone map[]",
			given: `UPDATE session SET impersonated_by = 'gone' WHERE id = 'dan1'`,
		},
		{
			name: "impersonation by who is deleted, refused", session: "dan1", refuse: true, fails: authdb.ErrBanned,
			given: `UPDATE session SET impersonated_by = 'gone' WHERE id = 'dan1'`,
		},
		{
			name: "impersonation by nobody", session: "dan1", want: "admin false  never by  map[]",
			given: `UPDATE session SET impersonated_by = '' WHERE id = 'dan1'`,
		},
		{
			name: "impersonation by whose ban is over", session: "dan1", want: "admin false  never by olga map[]", refuse: true,
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1';
				UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59' WHERE id = 'olga'`,
		},
		{
			name: "impersonation by who was banned", session: "dan1", want: "admin false  never by olga map[]",
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1';
				UPDATE "user" SET banned = false, ban_expires = '2027-01-01' WHERE id = 'olga'`,
		},
		{name: "roles of no organization", given: roles, session: "dan1", want: "admin false  never by  map[]"},
		{
			name: "roles of the active organization", session: "ann1",
			given: roles + "; UPDATE member SET role = 'admin, sales\u00a0,broken' WHERE id = 'acme-ann'",
			want:  "admin false  never by  map[broken:map[] sales:map[ac:[] project:[create read]]]",
		},
	} {
		plugins := authdb.Plugins{Admin: true, RefuseBanned: c.refuse, DynamicRoles: true}
		all = append(all, scenario{
			name: "authentication brings " + c.name, given: `UPDATE "user" SET role = 'admin' WHERE id IN ('dan', 'ann');` + c.given,
			plugins: plugins, do: says(c.session, c.want), fails: c.fails,
		})
		if strings.HasPrefix(c.name, "roles") {
			continue
		}
		plugins.DynamicRoles = false
		all = append(all, scenario{
			name: "authentication without roles brings " + c.name, given: `UPDATE "user" SET role = 'admin' WHERE id = 'dan';` + c.given,
			plugins: plugins, do: says(c.session, c.want), fails: c.fails,
		})
	}
	return all
}

// banScenarios are about users whom the admin plugin bars.
func banScenarios() []scenario {
	const (
		banned = `UPDATE "user" SET banned = true, ban_reason = 'spam' WHERE id = 'dan';`
		over   = `UPDATE "user" SET banned = true, ban_reason = 'spam', ban_expires = '2026-06-01 11:59:59.999' WHERE id = `
		lifted = ` ban_expires=NULL ban_reason=NULL banned=false updated`
		signed = ` expires_at=06-08T12:00:00 ip_address= `
	)
	signIns := func(users ...string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			ps := make([]authdb.CreateSessionParams, len(users))
			for i, user := range users {
				ps[i].UserID = user
			}
			return kit.Some(s.Sessions.CreateMany(ctx, ps))
		}
	}
	all := []scenario{
		{name: "of many sign-ins a banned one stops all", given: banned, do: signIns("bob", "dan"), fails: authdb.ErrBanned},
		{
			name:  "of many sign-ins one whose ban lasts stops all, and no ban is lifted",
			given: banned + over + "'bob'",
			do:    signIns("bob", "dan"),
			fails: authdb.ErrBanned,
		},
		{
			name:  "a ban that is over is lifted for those who sign in",
			given: over + "'dan';" + over + "'bob'",
			do:    signIns("dan", "eve"),
			changes: `~ user dan` + lifted + `
				+ session new1` + signed + `token=token2 user_agent= user_id=dan
				+ session new3` + signed + `token=token4 user_agent= user_id=eve`,
		},
		{
			name:  "what is left of a ban that is no more stays",
			given: over + `'dan'; UPDATE "user" SET banned = false, ban_expires = '2026-01-01' WHERE id = 'eve'`,
			do:    signIns("dan", "eve"),
			changes: `~ user dan` + lifted + `
				+ session new1` + signed + `token=token2 user_agent= user_id=dan
				+ session new3` + signed + `token=token4 user_agent= user_id=eve`,
		},
		{
			name:  "a ban that comes when one before is about to be lifted",
			given: over + "'dan'",
			run: func(ctx context.Context, s *stage) error {
				a, err := s.actor(ctx, 0)
				if err != nil {
					return err
				}
				conn := mutatingConn{mutating{a.conn, &s.guard, s.sent, nil}, a.conn}
				err = doLogin("dan")(ctx, s.store(beforeBatch{conn, func() {
					if _, err := s.admin.Exec(ctx, `UPDATE "user" SET ban_expires = '2027-01-01' WHERE id = 'dan'`); err != nil {
						panic(err)
					}
				}}))
				if !errors.Is(err, authdb.ErrBanned) {
					return fmt.Errorf("returns %s", fmt.Sprint(err))
				}
				return nil
			},
		},
		{
			name: "many sign-ins lock their users in the order of ids",
			run: inOrder(`SELECT FROM "user" WHERE id = 'eve' FOR UPDATE`, `SELECT FROM "user" WHERE id = 'dan' FOR NO KEY UPDATE`,
				signIns("eve", "dan")),
		},
	}
	for name, do := range map[string]operation{"a sign-in": doLogin("dan"), "one of many sign-ins": signIns("dan")} {
		session := `+ session new1` + signed + `token=token2 user_agent= user_id=dan`
		all = append(all, []scenario{
			{name: name + ": banned", given: banned, do: do, fails: authdb.ErrBanned},
			{
				name:  name + ": banned until now",
				given: `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'dan'`,
				do:    do,
				fails: authdb.ErrBanned,
			},
			{name: name + ": banned until just before", given: over + "'dan';" + over + "'bob'", do: do, changes: "~ user dan" + lifted + "\n" + session},
			{name: name + ": a ban that is under way", rival: banned, do: do, fails: authdb.ErrBanned, changes: `~ user dan ban_reason=spam banned=true`},
			{
				name:    name + ": a first ban that is under way",
				given:   `UPDATE "user" SET banned = NULL WHERE id = 'dan'`,
				rival:   banned,
				do:      do,
				fails:   authdb.ErrBanned,
				changes: `~ user dan ban_reason=spam banned=true`,
			},
			{name: name + ": another is banned", given: `UPDATE "user" SET banned = true WHERE id = 'bob'`, do: do, changes: session},
		}...)
	}
	return all
}

// adminScenarios are about what an administrator does: ann, and by her id olga.
func adminScenarios() []scenario {
	const (
		given   = `UPDATE "user" SET role = 'user,admin' WHERE id = 'ann';`
		borrows = given + `UPDATE session SET impersonated_by = 'ann' WHERE id = 'bob1';`
	)
	does := func(do func(ctx context.Context, u *admin.Users) error) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			u, err := admin.New(ctx, s, admin.Options{UserIDs: []string{"olga", "gone"}})
			if err != nil {
				return err
			}
			return do(ctx, u)
		}
	}
	ban := func(user, by string, expires time.Time) operation {
		return does(func(ctx context.Context, u *admin.Users) error {
			ended, err := u.Ban(ctx, admin.BanParams{UserID: user, By: by, Expires: expires})
			ids := []string{}
			for _, s := range ended {
				ids = append(ids, s.ID)
			}
			slices.Sort(ids)
			return returned(strings.Join(ids, " "), "dan-old dan1", err)
		})
	}
	setRole := func(user, by string) operation {
		return does(func(ctx context.Context, u *admin.Users) error {
			return u.SetRole(ctx, admin.SetRoleParams{UserID: user, By: by, Roles: []string{"admin", "user"}})
		})
	}
	impersonate := func(user, by string) operation {
		return does(func(ctx context.Context, u *admin.Users) error {
			s, err := u.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: by})
			return returned(s.ID+" "+s.ExpiresAt.Sub(s.CreatedAt).String(), "new1 1h0m0s", err)
		})
	}
	stop := func(token, own string) operation {
		return does(func(ctx context.Context, u *admin.Users) error {
			s, err := u.StopImpersonating(ctx, admin.StopParams{Token: authdb.Secret("token-" + token), AdminToken: authdb.Secret("token-" + own)})
			return returned(s.ID, own, err)
		})
	}
	const (
		gone   = "\n- session dan1\n- session dan-old"
		barred = `~ user dan ban_reason=No reason banned=true updated` + gone
		acts   = `+ session new1 expires_at=06-01T13:00:00 impersonated_by=ann ip_address= token=token2 user_agent= user_id=dan`
	)
	var byBanned []scenario
	for what, c := range map[string]struct {
		do      operation
		changes string
	}{
		"a ban": {ban("dan", "ann", time.Time{}), barred}, "acting as another": {impersonate("dan", "ann"), acts},
	} {
		byBanned = append(byBanned,
			scenario{
				name: what + " by who is just being banned", given: given, rival: `UPDATE "user" SET banned = true WHERE id = 'ann'`,
				do: c.do, fails: authdb.ErrNotPermitted, changes: `~ user ann banned=true`,
			},
			scenario{
				name: what + " by who is banned until now", do: c.do, fails: authdb.ErrNotPermitted,
				given: given + `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'ann'`,
			},
			scenario{
				name: what + " by who was banned until just before", do: c.do, changes: c.changes,
				given: given + `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59:59.999' WHERE id = 'ann'`,
			},
			scenario{
				name: what + " by who was banned", do: c.do, changes: c.changes,
				given: given + `UPDATE "user" SET banned = false, ban_expires = '2027-01-01' WHERE id = 'ann'`,
			},
		)
	}
	return append(byBanned, []scenario{
		{name: "an administrator bans", given: given, do: ban("dan", "ann", time.Time{}), changes: barred},
		{
			name: "an administrator bans until a time", given: given, do: ban("dan", "ann", noon.Add(time.Hour)),
			changes: `~ user dan ban_expires=06-01T13:00:00 ban_reason=No reason banned=true updated` + gone,
		},
		{
			name: "a ban replaces one before", given: given + `UPDATE "user" SET banned = true, ban_expires = '2027-01-01' WHERE id = 'dan'`,
			do: ban("dan", "ann", time.Time{}), changes: `~ user dan ban_expires=NULL ban_reason=No reason updated` + gone,
		},
		{name: "a ban by nobody", do: ban("dan", "", time.Time{}), changes: barred},
		{name: "a ban by id", do: ban("dan", "olga", time.Time{}), changes: barred},
		{name: "a ban by who may not", given: given, do: ban("dan", "bob", time.Time{}), fails: authdb.ErrNotPermitted},
		{name: "a ban by who is not there", given: given, do: ban("dan", "nobody", time.Time{}), fails: authdb.ErrNotPermitted},
		{name: "a ban of oneself", given: given, do: ban("ann", "ann", time.Time{}), fails: authdb.ErrNotPermitted},
		{name: "a ban of nobody", given: given, do: ban("nobody", "ann", time.Time{}), fails: authdb.ErrNotFound},
		{
			name: "a ban waits for a sign-in", given: given,
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('late', 'late', 'dan', '2027-01-01', '2026-01-01')`,
			do: does(func(ctx context.Context, u *admin.Users) error {
				ended, err := u.Ban(ctx, admin.BanParams{UserID: "dan", By: "ann"})
				return returned(len(ended), 3, err)
			}), changes: barred,
		},
		{
			name: "a ban by who is just losing the right to it", given: given, rival: `UPDATE "user" SET role = 'user' WHERE id = 'ann'`,
			do: ban("dan", "ann", time.Time{}), fails: authdb.ErrNotPermitted, changes: `~ user ann role=user`,
		},
		{
			name: "who bans and who is banned are locked in the order of ids",
			run: inOrder(`SELECT FROM "user" WHERE id = 'dan' FOR UPDATE`, `SELECT FROM "user" WHERE id = 'ann' FOR UPDATE`,
				does(func(ctx context.Context, u *admin.Users) error {
					return u.SetRole(ctx, admin.SetRoleParams{UserID: "dan", By: "ann", Roles: []string{"user"}})
				})),
			given: given,
		},
		{
			name: "a ban is ended", given: given + `UPDATE "user" SET banned = true, ban_reason = 'spam', ban_expires = '2027-01-01' WHERE id IN ('dan', 'bob')`,
			do: does(func(ctx context.Context, u *admin.Users) error {
				return u.Unban(ctx, admin.UnbanParams{UserID: "dan", By: "ann"})
			}), changes: `~ user dan ban_expires=NULL ban_reason=NULL banned=false updated`,
		},
		{
			name: "one's own ban is not ended", given: given + `UPDATE "user" SET banned = true WHERE id = 'ann'`,
			do: does(func(ctx context.Context, u *admin.Users) error {
				return u.Unban(ctx, admin.UnbanParams{UserID: "ann", By: "ann"})
			}), fails: authdb.ErrNotPermitted,
		},
		{
			name: "a role is set, and a ban stays", given: given + `UPDATE "user" SET banned = true, ban_reason = 'spam', ban_expires = '2027-01-01' WHERE id = 'dan'`,
			do: setRole("dan", "ann"), changes: `~ user dan role=admin,user updated`,
		},
		{name: "one's own role is set", given: given, do: setRole("ann", "ann"), changes: `~ user ann role=admin,user updated`},
		{name: "a role is not set by who has none", do: setRole("dan", "bob"), fails: authdb.ErrNotPermitted},
		{name: "a role is not set by who has an empty one", given: `UPDATE "user" SET role = '' WHERE id = 'bob'`, do: setRole("dan", "bob"), fails: authdb.ErrNotPermitted},
		{
			name: "a role is set by who has the default role, where that may",
			do: func(ctx context.Context, s *authdb.Store) error {
				u, err := admin.New(ctx, s, admin.Options{Rules: permission.Rules{Roles: permission.Roles{"user": {"user": {"set-role"}}}}})
				if err != nil {
					return err
				}
				return u.SetRole(ctx, admin.SetRoleParams{UserID: "dan", By: "bob", Roles: []string{"user"}})
			}, changes: `~ user dan role=user updated`,
		},
		{
			name: "a role is set by who has an empty role, where the default may", given: `UPDATE "user" SET role = '' WHERE id = 'bob'`,
			do: func(ctx context.Context, s *authdb.Store) error {
				u, err := admin.New(ctx, s, admin.Options{Rules: permission.Rules{Roles: permission.Roles{"user": {"user": {"set-role"}}}}})
				if err != nil {
					return err
				}
				return u.SetRole(ctx, admin.SetRoleParams{UserID: "dan", By: "bob", Roles: []string{"user"}})
			}, changes: `~ user dan role=user updated`,
		},
		{name: "an administrator acts as another", given: given, do: impersonate("dan", "ann"), changes: acts},
		{name: "an administrator acts as another, by id", given: given, do: impersonate("dan", "olga"), changes: strings.Replace(acts, "=ann", "=olga", 1)},
		{name: "a ban by who is deleted, by id", given: given, do: ban("dan", "gone", time.Time{}), fails: authdb.ErrNotPermitted},
		{name: "acting as another by who is deleted, by id", given: given, do: impersonate("dan", "gone"), fails: authdb.ErrNotPermitted},
		{name: "acting as nobody", given: given, do: impersonate("nobody", "ann"), fails: authdb.ErrNotFound},
		{name: "acting as another without the right to it", given: given, do: impersonate("dan", "bob"), fails: authdb.ErrNotPermitted},
		{name: "acting as another administrator", given: given + `UPDATE "user" SET role = 'user,admin' WHERE id = 'dan'`, do: impersonate("dan", "ann"), fails: authdb.ErrNotPermitted},
		{name: "acting as an administrator by id", given: given, do: impersonate("olga", "ann"), fails: authdb.ErrNotPermitted},
		{
			name: "acting as who has the default role, which is that of administrators", given: given + `UPDATE "user" SET role = '' WHERE id = 'dan'`,
			do: func(ctx context.Context, s *authdb.Store) error {
				u, err := admin.New(ctx, s, admin.Options{Roles: []string{"user"}, Rules: permission.Rules{Roles: permission.Roles{"admin": {"user": {"impersonate"}}}}})
				if err != nil {
					return err
				}
				return kit.ErrOf(u.Impersonate(ctx, admin.ImpersonateParams{UserID: "dan", By: "ann"}))
			}, fails: authdb.ErrNotPermitted,
		},
		{name: "acting as who is banned", given: given + `UPDATE "user" SET banned = true WHERE id = 'dan'`, do: impersonate("dan", "ann"), fails: authdb.ErrBanned},
		{
			name: "acting as who is banned until now", given: given + `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 12:00' WHERE id = 'dan'`,
			do: impersonate("dan", "ann"), fails: authdb.ErrBanned,
		},
		{
			name: "acting as who was banned until just before", given: given + `UPDATE "user" SET banned = true, ban_expires = '2026-06-01 11:59:59.999' WHERE id = 'dan'`,
			do: impersonate("dan", "ann"), changes: acts + "\n~ user dan ban_expires=NULL banned=false updated",
		},
		{
			name: "acting as another while others are banned", given: given + `UPDATE "user" SET banned = true WHERE id = 'bob'`,
			do: impersonate("dan", "ann"), changes: acts,
		},
		{
			name: "a role is set while others are changed", given: given, rival: `UPDATE "user" SET image = 'i' WHERE id = 'bob'`, skips: true,
			do: setRole("dan", "ann"), changes: "~ user bob image=i\n~ user dan role=admin,user updated",
		},
		{
			name: "acting as who was banned", given: given + `UPDATE "user" SET banned = false, ban_expires = '2027-01-01' WHERE id = 'dan'`,
			do: impersonate("dan", "ann"), changes: acts,
		},
		{
			name: "acting as who is just being banned", given: given, rival: `UPDATE "user" SET banned = true WHERE id = 'dan'`,
			do: impersonate("dan", "ann"), fails: authdb.ErrBanned, changes: `~ user dan banned=true`,
		},
		{name: "acting as another ends", given: borrows, do: stop("bob1", "ann1"), changes: `- session bob1`},
		{name: "acting as another by whom does not end", given: borrows, do: stop("bob1", "dan1"), fails: authdb.ErrNotFound},
		{name: "a session of one's own is not ended so", given: borrows, do: stop("bob2", "ann1"), fails: authdb.ErrNotFound},
		{
			name: "acting as another ends into no session that is over", given: borrows + `UPDATE session SET expires_at = '2026-06-01 12:00' WHERE id = 'ann1'`,
			do: stop("bob1", "ann1"), fails: authdb.ErrNotFound,
		},
		{name: "acting as another ends into no session that is not there", given: borrows, do: stop("bob1", "nobody"), fails: authdb.ErrNotFound},
	}...)
}

// actorScenarios are about on whose behalf something is done in an organization: ann's, who is an admin, and others'.
func actorScenarios() (all []scenario) {
	by := func(user string) authdb.Actor {
		return authdb.By(user, permission.Rules{}, permission.Roles{"hr": {"member": {"update", "delete"}, "invitation": {"create"}}})
	}
	for verb, c := range map[string]struct {
		do      func(ctx context.Context, s *authdb.Store, member, role string, by authdb.Actor) error
		changes string // of cyd, who is a member
		owner   string // of olga, by otto who is an owner, too
	}{
		"change": {
			do: func(ctx context.Context, s *authdb.Store, member, role string, by authdb.Actor) error {
				return kit.ErrOf(s.Members.Update(ctx, "acme", member, authdb.UpdateMemberParams{Role: authdb.Set(role), By: by}))
			},
			changes: `~ member acme-cyd role=admin`,
			owner:   `~ member acme-olga role=admin`,
		},
		"remove": {
			do: func(ctx context.Context, s *authdb.Store, member, _ string, by authdb.Actor) error {
				return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: "acme", MemberID: member, By: by})
			},
			changes: "- member acme-cyd\n~ invitation to-cyd status=canceled",
			owner:   "- member acme-olga\n~ session olga1 active_organization_id=NULL updated",
		},
		"invite": {
			do: func(ctx context.Context, s *authdb.Store, member, role string, by authdb.Actor) error {
				email := map[string]string{"acme-cyd": "hal@x.io", "acme-olga": "hal@x.io"}[member]
				if member == "acme-olga" {
					role = "owner"
				}
				return kit.ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
					OrganizationID: "acme", InviterID: "olga", Email: email, Role: role, By: by,
				}))
			},
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=admin status=pending`,
			owner:   `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=owner status=pending`,
		},
	} {
		const given = `INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES
			('acme-cyd', 'acme', 'cyd', 'member', '2026-01-01'), ('acme-otto', 'acme', 'otto', 'owner', '2026-01-01'),
			('acme-dan', 'acme', 'dan', 'member,hr', '2026-01-01');`
		does := func(member, role string, by authdb.Actor) operation {
			return func(ctx context.Context, s *authdb.Store) error { return c.do(ctx, s, member, role, by) }
		}
		for _, sc := range []scenario{
			{name: "an admin", do: does("acme-cyd", "admin", by("ann")), changes: c.changes},
			{name: "an owner", do: does("acme-cyd", "admin", by("otto")), changes: c.changes},
			{name: "a role of the organization's own", do: does("acme-cyd", "admin", by("dan")), changes: c.changes},
			{name: "a member", do: does("acme-cyd", "admin", by("bob")), fails: authdb.ErrNotPermitted},
			{name: "a stranger", do: does("acme-cyd", "admin", by("eve")), fails: authdb.ErrNotPermitted},
			{
				name: "an owner elsewhere", given: `DELETE FROM member WHERE id = 'acme-otto'`,
				do: does("acme-cyd", "admin", by("otto")), fails: authdb.ErrNotPermitted,
			},
			{name: "an admin, about an owner", do: does("acme-olga", "admin", by("ann")), fails: authdb.ErrNotPermitted},
			{name: "an owner, about an owner", do: does("acme-olga", "admin", by("otto")), changes: c.owner},
			{
				name: "an admin who is just losing it", rival: `UPDATE member SET role = 'member' WHERE id = 'acme-ann'`,
				do: does("acme-cyd", "admin", by("ann")), fails: authdb.ErrNotPermitted, changes: `~ member acme-ann role=member`,
			},
			{
				name: "an owner, where no role grants it", changes: c.changes,
				do: does("acme-cyd", "admin", authdb.By("otto", permission.Rules{Roles: permission.Roles{"admin": nil}})),
			},
			{
				name: "an admin, where no role grants it", fails: authdb.ErrNotPermitted,
				do: does("acme-cyd", "admin", authdb.By("ann", permission.Rules{Roles: permission.Roles{"admin": nil}})),
			},
		} {
			sc.name, sc.given = verb+" by "+sc.name, given+sc.given
			all = append(all, sc)
		}
	}
	for name, by := range map[string]authdb.Actor{"an admin": by("ann"), "a role of the organization's own": by("dan")} {
		all = append(all, scenario{
			name: "nobody makes himself an owner: " + name, fails: authdb.ErrNotPermitted,
			given: `INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ('acme-dan', 'acme', 'dan', 'hr', '2026-01-01')`,
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Members.Update(ctx, "acme", "acme-ann", authdb.UpdateMemberParams{Role: authdb.Set("admin,owner"), By: by}))
			},
		})
	}
	return all
}
