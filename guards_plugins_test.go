package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
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
			for name, plugins := range map[string]authdb.Plugins{"admin": {Admin: true}, "roles": {DynamicRoles: true}} {
				sc := sc
				sc.name, sc.plugins = sc.name+", with plugin "+name, plugins
				all = append(all, sc)
			}
		}
	}
	return slices.Concat(all, platformScenarios(), banScenarios())
}

// platformScenarios are about what the plugins say of who is signed in.
func platformScenarios() (all []scenario) {
	says := func(session, want string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			a, err := s.Sessions.Authenticate(ctx, authdb.Secret("token-"+session))
			if err != nil {
				return err
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
		('3', 'globex', 'sales', '{"project":["delete"]}'), ('4', 'acme', 'broken', '["project"]')`
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
		{
			name: "a ban that is refused", session: "dan1", refuse: true, fails: authdb.ErrBanned,
			given: `UPDATE "user" SET banned = true WHERE id = 'dan'`,
		},
		{
			name: "impersonation", session: "dan1", want: "admin false  never by olga map[]",
			given: `UPDATE session SET impersonated_by = 'olga' WHERE id = 'dan1'`,
		},
		{name: "roles of no organization", given: roles, session: "dan1", want: "admin false  never by  map[]"},
		{
			name: "roles of the active organization", given: roles, session: "ann1",
			want: "admin false  never by  map[broken:map[] sales:map[ac:[] project:[create read]]]",
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
			return some(s.Sessions.CreateMany(ctx, ps))
		}
	}
	all := []scenario{
		{
			name:  "of many sign-ins a banned one stops all",
			given: banned,
			do:    signIns("bob", "dan"),
			fails: authdb.ErrBanned,
		},
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
			changes: `
				~ user dan` + lifted + `
				+ session new1` + signed + `token=token2 user_agent= user_id=dan
				+ session new3` + signed + `token=token4 user_agent= user_id=eve`,
		},
		{
			name:  "what is left of a ban that is no more stays",
			given: over + `'dan'; UPDATE "user" SET banned = false, ban_expires = '2026-01-01' WHERE id = 'eve'`,
			do:    signIns("dan", "eve"),
			changes: `
				~ user dan` + lifted + `
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
			{
				name:    name + ": banned until just before",
				given:   over + "'dan';" + over + "'bob'",
				do:      do,
				changes: "~ user dan" + lifted + "\n" + session,
			},
			{
				name:    name + ": a ban that is under way",
				rival:   banned,
				do:      do,
				fails:   authdb.ErrBanned,
				changes: `~ user dan ban_reason=spam banned=true`,
			},
			{
				name:    name + ": without an entry, nobody waits",
				given:   `UPDATE "user" SET banned = NULL WHERE id = 'dan'`,
				rival:   `UPDATE "user" SET image = 'i' WHERE id = 'dan'`,
				skips:   true,
				do:      do,
				changes: "~ user dan image=i\n" + session,
			},
			{
				name:    name + ": another is banned",
				given:   `UPDATE "user" SET banned = true WHERE id = 'bob'`,
				do:      do,
				changes: session,
			},
		}...)
	}
	return all
}
