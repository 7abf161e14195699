package rules_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doLink(user, accountID, token string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: user, ProviderID: "github", AccountID: accountID, AccessToken: (*authdb.Secret)(&token),
		})
		return returned(row.UserID+row.AccountID, user+accountID, err)
	}
}

func doUnlink(user, account string, last bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: user, ID: account, AllowLast: last})
	}
}

func doUpdateAccount(user, account string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Accounts.Update(ctx, user, account, authdb.UpdateAccountParams{Scope: authdb.Set("repo")})
		return returned(row.ID, account, err)
	}
}

func doSetPassword(user string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Accounts.SetPassword(ctx, user, "new hash") }
}

func accountScenarios(t *testing.T) []scenario {
	return []scenario{
		{
			name:    "a link adds an account",
			do:      doLink("dan", "104", "new"),
			changes: `+ account new1 access_token=new account_id=104 provider_id=github user_id=dan`,
		},
		{name: "a link again renews the tokens", do: doLink("bob", "101", "new"), changes: `~ account bob-github access_token=new updated`},
		{
			name:  "a link again adds scopes to those that were granted",
			given: "UPDATE account SET scope = 'openid, email,,drive' WHERE id = 'bob-github'",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Accounts.Link(ctx, authdb.CreateAccountParams{
					UserID: "bob", ProviderID: "github", AccountID: "101", Scope: new("email,calendar,openid"),
				}))
			},
			changes: `~ account bob-github scope=openid,email,drive,calendar updated`,
		},
		{name: "a link never moves an identity", do: doLink("ann", "101", "new"), fails: authdb.ErrAccountTaken},
		{
			name: "a link waits for another's of the same identity",
			rival: `INSERT INTO account (id, user_id, provider_id, account_id, updated_at) VALUES ('theirs', 'ann',
				'github', '104', '2026-06-01')`,
			do:      doLink("bob", "104", "new"),
			fails:   authdb.ErrAccountTaken,
			changes: `+ account theirs account_id=104 provider_id=github user_id=ann`,
		},
		{
			name: "an identity is one user's",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: "dan", ProviderID: "github", AccountID: "102"}))
			},
			fails: authdb.ErrAccountTaken,
		},
		{name: "an update changes one account", do: doUpdateAccount("bob", "bob-github"), changes: `~ account bob-github scope=repo updated`},
		{name: "nobody updates another's account", do: doUpdateAccount("ann", "bob-github"), fails: authdb.ErrNotFound},
		{
			name: "a password is set in the credential account",
			given: `INSERT INTO account (id, user_id, provider_id, account_id, updated_at) VALUES ('odd', 'bob',
				'credential', 'zed', '2026-01-01'), ('odd2', 'bob', 'github', 'bob', '2026-01-01')`,
			do:      doSetPassword("bob"),
			changes: `~ account bob-password password=new hash updated`,
		},
		{
			name:  "no password is set in another's account",
			given: "UPDATE account SET user_id = 'dan' WHERE id = 'bob-password'",
			do:    doSetPassword("bob"),
			fails: authdb.ErrNotFound,
		},
		{name: "an account is unlinked", free: []string{"user bob"}, do: doUnlink("bob", "bob-github", false), changes: `- account bob-github`},
		{name: "the last account stays", do: doUnlink("ann", "ann-github", false), fails: authdb.ErrLastAccount},
		{name: "the last account goes where that is allowed", do: doUnlink("ann", "ann-github", true), changes: `- account ann-github`},
		{name: "an account without a password is no way to sign in", do: doUnlink("dan", "dan-github", false), fails: authdb.ErrLastAccount},
		{name: "nobody unlinks another's account", do: doUnlink("ann", "bob-github", false), fails: authdb.ErrNotFound},
		{name: "no account is unlinked that is not there", do: doUnlink("ann", "nobody", false), fails: authdb.ErrNotFound},
		{
			name:    "unlinking waits for a server that deletes the other account",
			rival:   "DELETE FROM account WHERE id = 'bob-password'",
			do:      doUnlink("bob", "bob-github", false),
			fails:   authdb.ErrLastAccount,
			changes: `- account bob-password`,
		},
		{
			name:    "unlinking waits for another that has begun",
			rival:   `SELECT FROM "user" WHERE id = 'bob' FOR NO KEY UPDATE`,
			then:    "DELETE FROM account WHERE id = 'bob-password'",
			do:      doUnlink("bob", "bob-github", false),
			fails:   authdb.ErrLastAccount,
			changes: `- account bob-password`,
		},
		{
			name: "deleting a user's accounts leaves all others",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Accounts.DeleteByUser(ctx, "bob")
				return returned(n, 2, err)
			},
			changes: `- account bob-github,bob-password`,
		},
		{
			name: "of many links of an identity one wins",
			given: `INSERT INTO "user" (id, name, email) SELECT 'u' || n, 'u', 'u' || n || '@x.io' FROM
				generate_series(0, 99) n`,
			run: storm(kit.Hard(t, 10, 100), func(i int) operation {
				return doLink(fmt.Sprintf("u%d", i), "777", "new")
			}, authdb.ErrAccountTaken),
		},
	}
}
