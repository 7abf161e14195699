package authdb_test

import (
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestAccounts(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testAccountCreate},
		{"CreateCredential", testAccountCreateCredential},
		{"CreateReference", testAccountReference},
		{"Get", testAccountGet},
		{"GetByProviderOldest", testAccountGetByProvider},
		{"GetCredential", testAccountGetCredential},
		{"NotFound", testAccountNotFound},
		{"Update", testAccountUpdate},
		{"SetPassword", testAccountSetPassword},
		{"Delete", testAccountDelete},
		{"List", testAccountList},
	})
}

func testAccountCreate(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for _, account := range []authdb.Account{
		{ProviderID: "github", AccountID: "4711"},
		{
			ProviderID: "google", AccountID: "g", AccessToken: new("access"), RefreshToken: new("refresh"),
			IDToken: new("id"), AccessTokenExpiresAt: new(s.now.Add(time.Hour)),
			RefreshTokenExpiresAt: new(s.now.Add(2 * time.Hour)), Scope: new("a,b"), Password: new("hash"),
		},
		{ProviderID: "github", AccountID: "4711"}, // the same identity again
	} {
		account.ID, account.UserID, account.CreatedAt, account.UpdatedAt = s.id(1), user.ID, s.now, s.now
		returns(t, account)(s.Accounts.Create(t.Context(), authdb.CreateAccountParams{
			UserID: user.ID, ProviderID: account.ProviderID, AccountID: account.AccountID,
			AccessToken: account.AccessToken, RefreshToken: account.RefreshToken, IDToken: account.IDToken,
			AccessTokenExpiresAt: account.AccessTokenExpiresAt, RefreshTokenExpiresAt: account.RefreshTokenExpiresAt,
			Scope: account.Scope, Password: account.Password,
		}))
		want["account"][account.ID] = asRow(account)
	}
	s.holds(t, want)
}

func testAccountCreateCredential(t *testing.T, s *fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for _, accountID := range []string{"", user.ID} {
		account := authdb.Account{
			ID: s.id(1), AccountID: user.ID, ProviderID: "credential", UserID: user.ID, Password: new("hash"),
			CreatedAt: s.now, UpdatedAt: s.now,
		}
		returns(t, account)(s.Accounts.Create(t.Context(), authdb.CreateAccountParams{
			UserID: user.ID, ProviderID: "credential", AccountID: accountID, Password: new("hash"),
		}))
		want["account"][account.ID] = asRow(account)
	}
	for _, p := range []authdb.CreateAccountParams{
		{UserID: user.ID, ProviderID: "credential", AccountID: other.ID},
		{UserID: user.ID, ProviderID: "credential", AccountID: user.Email},
		{UserID: user.ID, ProviderID: "github"},
	} {
		_, err := s.Accounts.Create(t.Context(), p)
		fails(t, err, authdb.ErrInvalidInput, "Accounts.Create", "account_id")
	}
	s.holds(t, want)
}

func testAccountReference(t *testing.T, s *fixture) {
	want := readTables(t, s.Store)
	_, err := s.Accounts.Create(t.Context(), authdb.CreateAccountParams{UserID: "none", ProviderID: "credential"})
	fails(t, err, authdb.ErrReference, "Accounts.Create", "user_id")
	s.holds(t, want)
}

func accountOf(userID, providerID, accountID string) func(*authdb.CreateAccountParams) {
	return func(p *authdb.CreateAccountParams) {
		p.UserID, p.ProviderID, p.AccountID, p.Password = userID, providerID, accountID, new("old")
	}
}

func testAccountGet(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, accountOf(user.ID, "google", "get"))
	account := authdbtest.Account(t, s.Store, accountOf(user.ID, "github", "get"))
	returns(t, account)(s.Accounts.Get(t.Context(), user.ID, account.ID))
	returns(t, authdb.AccountWithUser{Account: account, User: user})(s.Accounts.GetByProvider(t.Context(), "github", "get"))
}

func testAccountGetByProvider(t *testing.T, s *fixture) {
	users := []authdb.User{authdbtest.User(t, s.Store), authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)}
	var links []authdb.AccountWithUser
	for _, user := range users {
		account := authdbtest.Account(t, s.Store, accountOf(user.ID, "github", "twice"))
		links = append(links, authdb.AccountWithUser{Account: account, User: user})
	}
	returns(t, links[0])(s.Accounts.GetByProvider(t.Context(), "github", "twice"))
	links[2].CreatedAt = s.now.Add(-time.Microsecond)
	exec(t, s.Store, `UPDATE account SET created_at = $1 WHERE id = $2`, links[2].CreatedAt, links[2].ID)
	returns(t, links[2])(s.Accounts.GetByProvider(t.Context(), "github", "twice"))
}

func testAccountGetCredential(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, accountOf(user.ID, "github", user.ID))
	foreign := authdbtest.Account(t, s.Store, accountOf(user.ID, "credential", user.ID))
	exec(t, s.Store, `UPDATE account SET account_id = 'e-mail' WHERE id = $1`, foreign.ID)
	_, err := s.Accounts.GetCredential(t.Context(), user.ID)
	fails(t, err, authdb.ErrNotFound, "Accounts.GetCredential", "")
	account := authdbtest.Account(t, s.Store, accountOf(user.ID, "credential", user.ID))
	authdbtest.Account(t, s.Store, accountOf(user.ID, "credential", user.ID))
	returns(t, account)(s.Accounts.GetCredential(t.Context(), user.ID))
}

func testAccountNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	account, other := authdbtest.Account(t, s.Store), authdbtest.User(t, s.Store)
	want := readTables(t, s.Store)
	for userID, id := range map[string]string{account.UserID: "none", other.ID: account.ID} {
		notFound(t, map[string]error{
			"Accounts.Get":    errOf(s.Accounts.Get(ctx, userID, id)),
			"Accounts.Update": errOf(s.Accounts.Update(ctx, userID, id, authdb.UpdateAccountParams{})),
			"Accounts.Delete": s.Accounts.Delete(ctx, userID, id),
		})
	}
	for providerID, accountID := range map[string]string{"github": "none", "none": account.AccountID} {
		_, err := s.Accounts.GetByProvider(ctx, providerID, accountID)
		fails(t, err, authdb.ErrNotFound, "Accounts.GetByProvider", "")
	}
	notFound(t, map[string]error{
		"Accounts.GetCredential": errOf(s.Accounts.GetCredential(ctx, account.UserID)),
		"Accounts.SetPassword":   s.Accounts.SetPassword(ctx, account.UserID, "new"),
	})
	s.holds(t, want)
}

func testAccountUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateAccountParams
	at, later := s.now.Add(time.Hour), s.now.Add(2*time.Hour)
	authdbtest.Account(t, s.Store)
	account := authdbtest.Account(t, s.Store, func(p *authdb.CreateAccountParams) {
		p.AccessToken, p.RefreshToken, p.IDToken, p.Scope, p.Password = new("1"), new("2"), new("3"), new("4"), new("5")
		p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = &at, &at
	})
	null, noTime := authdb.SetNull[string](), authdb.SetNull[time.Time]()
	checkUpdates(t, s, "account", account,
		func(p params) (authdb.Account, error) {
			return s.Accounts.Update(t.Context(), account.UserID, account.ID, p)
		},
		[]step[params, authdb.Account]{
			{"nothing", params{}, func(*authdb.Account) {}},
			{"access", params{AccessToken: authdb.Set("a")}, func(a *authdb.Account) { a.AccessToken = new("a") }},
			{"refresh", params{RefreshToken: authdb.Set("r")}, func(a *authdb.Account) { a.RefreshToken = new("r") }},
			{"id token", params{IDToken: authdb.Set("i")}, func(a *authdb.Account) { a.IDToken = new("i") }},
			{"access end", params{AccessTokenExpiresAt: authdb.Set(later)}, func(a *authdb.Account) { a.AccessTokenExpiresAt = &later }},
			{"refresh end", params{RefreshTokenExpiresAt: authdb.Set(later)}, func(a *authdb.Account) { a.RefreshTokenExpiresAt = &later }},
			{"scope", params{Scope: authdb.Set("")}, func(a *authdb.Account) { a.Scope = new("") }},
			{"no access", params{AccessToken: null}, func(a *authdb.Account) { a.AccessToken = nil }},
			{"no refresh", params{RefreshToken: null}, func(a *authdb.Account) { a.RefreshToken = nil }},
			{"no id token", params{IDToken: null}, func(a *authdb.Account) { a.IDToken = nil }},
			{"no access end", params{AccessTokenExpiresAt: noTime}, func(a *authdb.Account) { a.AccessTokenExpiresAt = nil }},
			{"no refresh end", params{RefreshTokenExpiresAt: noTime}, func(a *authdb.Account) { a.RefreshTokenExpiresAt = nil }},
			{"no scope", params{Scope: null}, func(a *authdb.Account) { a.Scope = nil }},
		})
}

func testAccountSetPassword(t *testing.T, s *fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, accountOf(user.ID, "github", user.ID))
	authdbtest.Account(t, s.Store, accountOf(other.ID, "credential", other.ID))
	foreign := authdbtest.Account(t, s.Store, accountOf(user.ID, "credential", user.ID))
	exec(t, s.Store, `UPDATE account SET account_id = $1 WHERE id = $2`, other.ID, foreign.ID)
	account := authdbtest.Account(t, s.Store, accountOf(user.ID, "credential", user.ID))
	checkUpdates(t, s, "account", account, func(hash string) (authdb.Account, error) {
		if err := s.Accounts.SetPassword(t.Context(), user.ID, hash); err != nil {
			return authdb.Account{}, err
		}
		return s.Accounts.GetCredential(t.Context(), user.ID)
	}, []step[string, authdb.Account]{
		{"new", "new", func(a *authdb.Account) { a.Password = new("new") }},
		{"again", "new", func(*authdb.Account) {}},
	})
}

func testAccountDelete(t *testing.T, s *fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store)
	before := readTables(t, s.Store)
	for range 2 {
		authdbtest.Account(t, s.Store, accountOf(user.ID, "google", "delete"))
	}
	want := readTables(t, s.Store)
	account := authdbtest.Account(t, s.Store, accountOf(user.ID, "github", "delete"))
	s.deletes(t, want, "Accounts.Delete", func() error { return s.Accounts.Delete(ctx, user.ID, account.ID) })
	returns(t, int64(2))(s.Accounts.DeleteByUser(ctx, user.ID))
	returns(t, int64(0))(s.Accounts.DeleteByUser(ctx, user.ID))
	s.holds(t, before)
}

func testAccountList(t *testing.T, s *fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store)
	accounts := rowsOf(func() authdb.Account { return authdbtest.Account(t, s.Store, accountOf(user.ID, "github", "list")) })
	returns(t, int64(54))(s.Accounts.Count(t.Context(), user.ID))
	checkList(t, s, "Accounts.List", "account", accounts, func(after authdb.Cursor, limit int) authdb.ListAccountsParams {
		return authdb.ListAccountsParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Accounts.List, s.Accounts.All)
}
