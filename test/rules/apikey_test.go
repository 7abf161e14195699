package rules_test

import (
	"context"
	"errors"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/permission"
)

// twoKeys are bob's and ann's, of which the first is set so.
func twoKeys(set string) string {
	return `INSERT INTO apikey (id, key, reference_id, rate_limit_max, created_at, updated_at)
		SELECT who || '-key', who || '-secret', who, NULL, '2026-05-01', '2026-05-01' FROM unnest('{ann,bob}'::text[]) who;
		UPDATE apikey SET ` + set + ` WHERE id = 'bob-key';`
}

// doKeys does something with keys that are stored as they are.
func doKeys(o apikey.Options, do func(ctx context.Context, keys *apikey.Keys) error) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		o.Plain = true
		keys, err := apikey.New(ctx, s, o)
		if err != nil {
			return err
		}
		return do(ctx, keys)
	}
}

func doVerifyKey(o apikey.Options, wanted permission.Set) operation {
	return doKeys(o, func(ctx context.Context, keys *apikey.Keys) error {
		key, err := keys.Verify(ctx, "bob-secret", wanted)
		if limited, ok := errors.AsType[*apikey.RateLimitError](err); ok {
			return returned(limited.RetryAfter.String(), "1s", nil)
		}
		return returned(key.ReferenceID, "bob", err)
	})
}

// verifyScenarios are about what a key is good for.
func verifyScenarios() (all []scenario) {
	const (
		limit = `rate_limit_max = 3, rate_limit_time_window = 60000, `
		used  = limit + `last_request = '2026-06-01 11:59:01', `
		due   = `refill_amount = 5, refill_interval = 1000, last_refill_at = '2026-06-01 11:59:58.999', `

		charged = "~ apikey bob-key updated"
		counts  = "~ apikey bob-key last_request=06-01T12:00:00 "
		refills = "~ apikey bob-key last_refill_at=06-01T12:00:00 remaining=4 updated"
		gone    = "- apikey bob-key"
	)
	read := permission.Set{"files": {"read"}}
	for _, c := range []struct {
		name, set string
		o         apikey.Options
		wanted    permission.Set
		fails     error
		changes   string
	}{
		{name: "good", set: `name = 'n'`, changes: charged},
		{name: "unknown", set: `key = 'another'`, fails: apikey.ErrInvalidKey},
		{name: "of another configuration", set: `config_id = 'teams'`, o: apikey.Options{ConfigID: "default"}, fails: apikey.ErrInvalidKey},
		{name: "of any configuration", set: `config_id = 'teams'`, changes: charged},
		{name: "of that configuration", set: `config_id = 'teams'`, o: apikey.Options{ConfigID: "teams"}, changes: charged},
		{name: "of the default configuration", set: `config_id = ''`, o: apikey.Options{ConfigID: "default"}, changes: charged},
		{name: "disabled", set: `enabled = false, expires_at = '2026-01-01'`, fails: apikey.ErrDisabled},
		{name: "neither enabled nor disabled", set: `enabled = NULL`, changes: charged},
		{name: "expired", set: `expires_at = '2026-06-01 11:59:59.999', permissions = ''`, wanted: read, fails: apikey.ErrExpired, changes: gone},
		{name: "that expires now", set: `expires_at = '2026-06-01 12:00'`, changes: charged},
		{name: "that permits it", set: `permissions = '{"files":["write","read"]}'`, wanted: read, changes: charged},
		{name: "that permits something else", set: `permissions = '{"files":["write"],"read":["files"]}', remaining = 0`, wanted: read, fails: apikey.ErrNotPermitted},
		{name: "that permits nothing", set: `permissions = NULL`, wanted: read, fails: apikey.ErrNotPermitted},
		{name: "that permits an empty text", set: `permissions = ''`, wanted: read, fails: apikey.ErrNotPermitted},
		{name: "of which nothing is wanted", set: `permissions = '{"files":["read"]}'`, wanted: permission.Set{}, fails: apikey.ErrNotPermitted},
		{name: "of which no action is wanted", set: `permissions = '{"files":["read"]}'`, wanted: permission.Set{"files": {}}, fails: apikey.ErrNotPermitted},
		{name: "of which no list is wanted", set: `permissions = '{"files":[null]}'`, wanted: permission.Set{"files": nil}, fails: apikey.ErrNotPermitted},
		{name: "of which permissions do not matter", set: `permissions = 'nonsense'`, changes: charged},
		{name: "used up", set: `remaining = 0, refill_interval = 1000`, fails: apikey.ErrUsageExceeded, changes: gone},
		{name: "used up until it is refilled", set: `remaining = 0, refill_amount = 5, refill_interval = 1000, last_refill_at = '2026-06-01 11:59:59'`, fails: apikey.ErrUsageExceeded},
		{name: "used up, of no interval", set: `remaining = 0, refill_amount = 5`, fails: apikey.ErrUsageExceeded},
		{name: "used up, of an empty interval", set: `remaining = 0, refill_amount = 5, refill_interval = 0`, fails: apikey.ErrUsageExceeded},
		{name: "used up, of an empty refill", set: `remaining = 0, refill_amount = 0, refill_interval = 1000`, fails: apikey.ErrUsageExceeded},
		{name: "overdrawn", set: `remaining = -1`, fails: apikey.ErrUsageExceeded},
		{name: "for the last time", set: `remaining = 1`, changes: "~ apikey bob-key remaining=0 updated"},
		{name: "refilled", set: due + `remaining = 0`, changes: refills},
		{name: "refilled before it is used up", set: due + `remaining = 3`, changes: refills},
		{name: "refilled for the first time", set: `refill_amount = 5, refill_interval = 1000, remaining = 0`, changes: refills},
		{name: "without a number, refilled with nothing", set: due + `remaining = NULL`, changes: charged},
		{name: "for the first time", set: limit + `request_count = 7`, changes: counts + "request_count=1 updated"},
		{name: "for the third time", set: used + `request_count = 2`, changes: counts + "request_count=3 updated"},
		{name: "that nobody has counted", set: used + `request_count = NULL`, changes: counts + "request_count=1 updated"},
		{name: "for the fourth time", set: used + `request_count = 3`},
		{name: "limited, of a number", set: used + `request_count = 3, remaining = 5`},
		{name: "limited, neither on nor off", set: used + `request_count = 3, rate_limit_enabled = NULL`},
		{name: "a window later", set: limit + `last_request = '2026-06-01 11:58:59.999', request_count = 3`, changes: counts + "request_count=1 updated"},
		{name: "without a limit", set: used + `request_count = 3, rate_limit_enabled = false`, changes: counts + "updated"},
		{name: "of a plugin without a limit", set: used + `request_count = 3`, o: apikey.Options{NoRateLimit: true}, changes: counts + "updated"},
		{name: "without a window", set: `rate_limit_max = 3, rate_limit_time_window = NULL, last_request = '2026-06-01 11:59:01', request_count = 3`, changes: charged},
		{name: "without a maximum", set: `rate_limit_time_window = 60000, last_request = '2026-06-01 11:59:01', request_count = 3`, changes: charged},
	} {
		all = append(all, scenario{
			name: "a key " + c.name, given: twoKeys(c.set), do: doVerifyKey(c.o, c.wanted), fails: c.fails, changes: c.changes,
		})
	}
	return append(all, scenario{
		name: "a key that is being disabled", given: twoKeys(`remaining = 5`), rival: `UPDATE apikey SET enabled = false WHERE id = 'bob-key'`,
		do: doVerifyKey(apikey.Options{}, nil), fails: apikey.ErrDisabled, changes: "~ apikey bob-key enabled=false",
	}, scenario{
		name: "a key that is being used", given: twoKeys(`remaining = 5`), rival: `UPDATE apikey SET remaining = 2 WHERE id = 'bob-key'`,
		do: doVerifyKey(apikey.Options{}, nil), changes: "~ apikey bob-key remaining=1 updated",
	})
}

// apiKeyScenarios are about whose a key is.
func apiKeyScenarios() []scenario {
	teams := apikey.Options{ConfigID: "teams", Organizations: true}
	create := func(o apikey.Options, owner string) operation {
		return doKeys(o, func(ctx context.Context, keys *apikey.Keys) error {
			made, err := keys.Create(ctx, apikey.CreateParams{OwnerID: owner, ID: "made"})
			return returned(made.ReferenceID, owner, err)
		})
	}
	update := func(o apikey.Options, owner string) operation {
		return doKeys(o, func(ctx context.Context, keys *apikey.Keys) error {
			key, err := keys.Update(ctx, owner, "bob-key", apikey.UpdateParams{Enabled: authdb.Set(false)})
			return returned(key.ID, "bob-key", err)
		})
	}
	revoke := func(o apikey.Options, owner string) operation {
		return doKeys(o, func(ctx context.Context, keys *apikey.Keys) error { return keys.Revoke(ctx, owner, "bob-key") })
	}
	revokeAll := func(o apikey.Options, owner string, want int64) operation {
		return doKeys(o, func(ctx context.Context, keys *apikey.Keys) error {
			n, err := keys.RevokeAll(ctx, owner)
			return returned(n, want, err)
		})
	}
	deleteUser := func(user string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			return kit.ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: user}))
		}
	}
	proveAddress := func(user string, keepAccess bool) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			return kit.ErrOf(s.Users.VerifyEmail(ctx, user, authdb.VerifyEmailParams{Email: user + "@x.io", KeepAccess: keepAccess}))
		}
	}
	signInProved := func(user string) operation {
		return func(ctx context.Context, s *authdb.Store) error {
			_, _, err := bridge.Repo(s).SignInProved(ctx, "prove", dbgen.SignInProvedParams{
				Email: user + "@x.io", RevokePassword: true, IPAddress: new(""), UserAgent: new(""),
			})
			return refusedBy(err)
		}
	}
	plugins := authdb.Plugins{APIKeys: true}
	const moved = `UPDATE apikey SET reference_id = `
	const late = `SELECT FROM "user" WHERE id = 'eve' FOR KEY SHARE;
		INSERT INTO apikey (id, key, reference_id, created_at, updated_at) VALUES ('late', 'late', 'eve', '2026-05-01', '2026-05-01')`
	return []scenario{
		{name: "a key of nobody", do: create(apikey.Options{}, "nobody"), fails: authdb.ErrReference},
		{name: "a user's key of an organization", do: create(apikey.Options{}, "acme"), fails: authdb.ErrReference},
		{name: "an organization's key of a user", do: create(teams, "bob"), fails: authdb.ErrReference},
		{
			name: "a key of a user who is being deleted", rival: `DELETE FROM "user" WHERE id = 'eve'`, do: create(apikey.Options{}, "eve"),
			fails: authdb.ErrReference, changes: "- user eve",
		},
		{
			name: "a key of an organization that is being deleted", given: `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01');`,
			rival: `DELETE FROM organization WHERE id = 'zeta'`, do: create(teams, "zeta"), fails: authdb.ErrReference, changes: "- organization zeta",
		},
		{
			name: "a key of a configuration", given: twoKeys(`name = 'n'`), do: create(teams, "acme"),
			changes: `+ apikey made config_id=teams enabled=true metadata=null rate_limit_enabled=true rate_limit_max=10 rate_limit_time_window=8.64e+07 reference_id=acme request_count=0`,
		},
		{name: "a key is changed", given: twoKeys(`name = 'n'`), do: update(apikey.Options{}, "bob"), changes: "~ apikey bob-key enabled=false updated"},
		{name: "another's key is not changed", given: twoKeys(`name = 'n'`), do: update(apikey.Options{}, "ann"), fails: authdb.ErrNotFound},
		{name: "a key of another configuration is not changed", given: twoKeys(`name = 'n'`), do: update(teams, "bob"), fails: authdb.ErrNotFound},
		{
			name: "of two keys one is changed", given: twoKeys(`name = 'n'`) + moved + `'bob'`, do: update(apikey.Options{}, "bob"),
			changes: "~ apikey bob-key enabled=false updated",
		},
		{name: "a key is revoked", given: twoKeys(`name = 'n'`) + moved + `'bob'`, do: revoke(apikey.Options{}, "bob"), changes: "- apikey bob-key"},
		{name: "another's key is not revoked", given: twoKeys(`name = 'n'`), do: revoke(apikey.Options{}, "ann"), fails: authdb.ErrNotFound},
		{name: "a key of another configuration is not revoked", given: twoKeys(`name = 'n'`), do: revoke(teams, "bob"), fails: authdb.ErrNotFound},
		{name: "the keys of one are revoked", given: twoKeys(`name = 'n'`), do: revokeAll(apikey.Options{}, "bob", 1), changes: "- apikey bob-key"},
		{
			name: "the keys of a configuration are revoked", given: twoKeys(`config_id = 'teams'`) + moved + `'acme'`, do: revokeAll(teams, "acme", 1),
			changes: "- apikey bob-key",
		},
		{
			name: "the keys from before a proof go", given: twoKeys(`reference_id = 'eve'`), plugins: plugins, do: proveAddress("eve", false),
			changes: "~ user eve email_verified=true updated\n- apikey bob-key",
		},
		{
			name: "the keys of who is proved already stay", given: twoKeys(`name = 'n'`), plugins: plugins, do: proveAddress("bob", false),
		},
		{
			name: "the keys of who is signed in stay", given: twoKeys(`reference_id = 'eve'`), plugins: plugins, do: proveAddress("eve", true),
			changes: "~ user eve email_verified=true updated",
		},
		{
			name: "the keys of who has another address stay", given: twoKeys(`reference_id = 'eve'`) + `UPDATE "user" SET email = 'eva@x.io' WHERE id = 'eve'`,
			plugins: plugins, do: proveAddress("eve", false), fails: authdb.ErrNotFound,
		},
		{
			name: "the keys from before a proof that signs in go", plugins: plugins, do: signInProved("eve"),
			given:   twoKeys(`reference_id = 'eve'`) + `UPDATE "user" SET email_verified = false WHERE id = 'ann'`,
			changes: "~ user eve email_verified=true updated\n- apikey bob-key\n+ session new1 expires_at=06-08T12:00:00 ip_address= token=token3 user_agent= user_id=eve",
		},
		{
			name: "the key that a squatter makes during a proof goes", plugins: plugins, rival: late, do: proveAddress("eve", false),
			changes: "~ user eve email_verified=true updated",
		},
		{
			name: "the key that a squatter makes during a proof that signs in goes", plugins: plugins, rival: late, do: signInProved("eve"),
			changes: "~ user eve email_verified=true updated\n+ session new1 expires_at=06-08T12:00:00 ip_address= token=token3 user_agent= user_id=eve",
		},
		{
			name: "the keys of another who is not proved stay", given: twoKeys(`reference_id = 'eve'`), plugins: plugins,
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Users.VerifyEmail(ctx, "bob", authdb.VerifyEmailParams{Email: "eve@x.io"}))
			}, fails: authdb.ErrNotFound,
		},
		{
			name: "the keys of who is proved already and signs in stay", given: twoKeys(`name = 'n'`), plugins: plugins, do: signInProved("bob"),
			changes: "+ session new1 expires_at=06-08T12:00:00 ip_address= token=token3 user_agent= user_id=bob",
		},
		{
			name: "the keys of a deleted user go", given: twoKeys(`reference_id = 'eve'`), plugins: plugins, do: deleteUser("eve"),
			changes: "- user eve\n- apikey bob-key",
		},
		{
			name: "the keys of a user who is not deleted stay", given: twoKeys(`reference_id = 'olga'`), plugins: plugins, do: deleteUser("olga"),
			fails: authdb.ErrLastOwner,
		},
		{
			name:  "the keys of an organization that is called like a deleted user stay",
			given: `INSERT INTO organization VALUES ('eve', 'Eve', 'eve', NULL, '2026-01-01');` + twoKeys(`reference_id = 'eve'`), plugins: plugins,
			do: deleteUser("eve"), changes: "- user eve",
		},
	}
}
