package authdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestAccounts(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
		{"Create", testAccountCreate},
		{"CreateCredential", testAccountCreateCredential},
		{"CreateConflict", testAccountConflict},
		{"CreateReference", testAccountReference},
		{"Link", testAccountLink},
		{"LinkRefused", testAccountLinkRefused},
		{"Get", testAccountGet},
		{"GetCredential", testAccountGetCredential},
		{"NotFound", testAccountNotFound},
		{"Update", testAccountUpdate},
		{"SetPassword", testAccountSetPassword},
		{"Delete", testAccountDelete},
		{"DeleteLast", testAccountDeleteLast},
		{"List", testAccountList},
	})
}

func testAccountCreate(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for _, account := range []authdb.Account{
		{ProviderID: "github", AccountID: "4711"},
		{
			ProviderID: "google", AccountID: "g", AccessToken: new(authdb.Secret("access")), RefreshToken: new(authdb.Secret("refresh")),
			IDToken: new(authdb.Secret("id")), AccessTokenExpiresAt: new(s.Now.Add(time.Hour)),
			RefreshTokenExpiresAt: new(s.Now.Add(2 * time.Hour)), Scope: new("a,b"), Password: new(authdb.Secret("hash")),
		},
		{ProviderID: "github", AccountID: "g"}, // the same id at another provider
	} {
		account.ID, account.UserID, account.CreatedAt, account.UpdatedAt = s.Id(1), user.ID, s.Now, s.Now
		kit.Returns(t, account)(s.Accounts.Create(t.Context(), authdb.CreateAccountParams{
			UserID: user.ID, ProviderID: account.ProviderID, AccountID: account.AccountID,
			AccessToken: account.AccessToken, RefreshToken: account.RefreshToken, IDToken: account.IDToken,
			AccessTokenExpiresAt: account.AccessTokenExpiresAt, RefreshTokenExpiresAt: account.RefreshTokenExpiresAt,
			Scope: account.Scope, Password: account.Password,
		}))
		want["account"][account.ID] = kit.AsRow(account)
	}
	s.Holds(t, want)
}

func testAccountCreateCredential(t *testing.T, s *kit.Fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for user, accountID := range map[authdb.User]string{user: "", other: other.ID} {
		account := authdb.Account{
			ID: s.Id(1), AccountID: user.ID, ProviderID: "credential", UserID: user.ID, Password: new(authdb.Secret("hash")),
			CreatedAt: s.Now, UpdatedAt: s.Now,
		}
		kit.Returns(t, account)(s.Accounts.Create(t.Context(), authdb.CreateAccountParams{
			UserID: user.ID, ProviderID: "credential", AccountID: accountID, Password: new(authdb.Secret("hash")),
		}))
		want["account"][account.ID] = kit.AsRow(account)
	}
	for _, p := range []authdb.CreateAccountParams{
		{UserID: user.ID, ProviderID: "credential", AccountID: other.ID},
		{UserID: user.ID, ProviderID: "credential", AccountID: user.Email},
		{UserID: user.ID, ProviderID: "github"},
	} {
		_, err := s.Accounts.Create(t.Context(), p)
		kit.Fails(t, err, authdb.ErrInvalidInput, "Accounts.Create", "account_id")
	}
	s.Holds(t, want)
}

func testAccountConflict(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", "conflict"))
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	want := kit.ReadTables(t, s.Store)
	for _, p := range []authdb.CreateAccountParams{
		{UserID: user.ID, ProviderID: "github", AccountID: "conflict"},
		{UserID: other.ID, ProviderID: "github", AccountID: "conflict"},
		{UserID: user.ID, ProviderID: "credential"},
	} {
		_, err := s.Accounts.Create(ctx, p)
		kit.Fails(t, err, authdb.ErrAccountTaken, "Accounts.Create", "account_id")
		if !errors.Is(err, authdb.ErrConflict) {
			t.Errorf("%v is no ErrConflict", err)
		}
	}
	s.Holds(t, want)
}

func testAccountLink(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "gitlab", "link"))
	want := kit.ReadTables(t, s.Store)
	p := authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github", AccountID: "link"}
	account := authdb.Account{
		ID: s.Id(1), AccountID: "link", ProviderID: "github", UserID: user.ID, CreatedAt: s.Now, UpdatedAt: s.Now,
	}
	at := s.Now.Add(time.Hour)
	for i, step := range []func(){
		func() {},
		func() {}, // again
		func() {
			p.AccessToken, p.RefreshToken, p.IDToken, p.Scope = new(authdb.Secret("access")), new(authdb.Secret("refresh")), new(authdb.Secret("id")), new("a,b")
			p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = new(at.Add(999*time.Microsecond)), &at
			account.AccessToken, account.RefreshToken, account.IDToken = p.AccessToken, p.RefreshToken, p.IDToken
			account.Scope, account.AccessTokenExpiresAt, account.RefreshTokenExpiresAt = p.Scope, &at, &at
		},
		func() { // what is nil stays, as Google sends a refresh token once
			p = authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github", AccountID: "link", AccessToken: new(authdb.Secret("newer"))}
			account.AccessToken = p.AccessToken
		},
		func() {
			p = authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github", AccountID: "link"}
		},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			step()
			account.UpdatedAt = s.Now
			kit.Returns(t, account)(s.Accounts.Link(t.Context(), p))
			want["account"][account.ID] = kit.AsRow(account)
			s.Holds(t, want)
			s.Now = s.Now.Add(time.Minute)
		})
	}
}

func testAccountLinkRefused(t *testing.T, s *kit.Fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(other.ID, "github", "other's"))
	want := kit.ReadTables(t, s.Store)
	for _, test := range []struct {
		p     authdb.CreateAccountParams
		kind  error
		field string
	}{
		{
			authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github", AccountID: "other's", AccessToken: new(authdb.Secret("x"))},
			authdb.ErrAccountTaken, "account_id",
		},
		{authdb.CreateAccountParams{UserID: "none", ProviderID: "github", AccountID: "new"}, authdb.ErrReference, "user_id"},
		{authdb.CreateAccountParams{UserID: user.ID, ProviderID: "credential", AccountID: user.ID}, authdb.ErrInvalidInput, "provider_id"},
		{
			authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github", AccountID: "new", Password: new(authdb.Secret("x"))},
			authdb.ErrInvalidInput, "password",
		},
		{authdb.CreateAccountParams{UserID: user.ID, ProviderID: "github"}, authdb.ErrInvalidInput, "account_id"},
		{authdb.CreateAccountParams{UserID: user.ID, AccountID: "new"}, authdb.ErrInvalidInput, "provider_id"},
	} {
		_, err := s.Accounts.Link(t.Context(), test.p)
		kit.Fails(t, err, test.kind, "Accounts.Link", test.field)
	}
	s.Holds(t, want)
}

func testAccountReference(t *testing.T, s *kit.Fixture) {
	want := kit.ReadTables(t, s.Store)
	_, err := s.Accounts.Create(t.Context(), authdb.CreateAccountParams{UserID: "none", ProviderID: "credential"})
	kit.Fails(t, err, authdb.ErrReference, "Accounts.Create", "user_id")
	s.Holds(t, want)
}

func testAccountGet(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "google", "get"))
	account := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", "get"))
	kit.Returns(t, account)(s.Accounts.Get(t.Context(), user.ID, account.ID))
	kit.Returns(t, authdb.AccountWithUser{Account: account, User: user})(s.Accounts.GetWithUserByProvider(t.Context(), "github", "get"))
}

func testAccountGetCredential(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", user.ID))
	foreign := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	kit.Exec(t, s.Store, `UPDATE account SET account_id = 'e-mail' WHERE id = $1`, foreign.ID)
	_, err := s.Accounts.GetCredential(t.Context(), user.ID)
	kit.Fails(t, err, authdb.ErrNotFound, "Accounts.GetCredential", "")
	account := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	kit.Returns(t, account)(s.Accounts.GetCredential(t.Context(), user.ID))
}

func testAccountNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	account, other := authdbtest.Account(t, s.Store), authdbtest.User(t, s.Store)
	want := kit.ReadTables(t, s.Store)
	for userID, id := range map[string]string{account.UserID: "none", other.ID: account.ID} {
		kit.NotFound(t, map[string]error{
			"Accounts.Get":    kit.ErrOf(s.Accounts.Get(ctx, userID, id)),
			"Accounts.Update": kit.ErrOf(s.Accounts.Update(ctx, userID, id, authdb.UpdateAccountParams{})),
			"Accounts.Delete": s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: userID, ID: id}),
		})
	}
	for providerID, accountID := range map[string]string{"github": "none", "none": account.AccountID} {
		_, err := s.Accounts.GetWithUserByProvider(ctx, providerID, accountID)
		kit.Fails(t, err, authdb.ErrNotFound, "Accounts.GetWithUserByProvider", "")
	}
	kit.NotFound(t, map[string]error{
		"Accounts.GetCredential": kit.ErrOf(s.Accounts.GetCredential(ctx, account.UserID)),
		"Accounts.SetPassword":   s.Accounts.SetPassword(ctx, account.UserID, "new"),
	})
	s.Holds(t, want)
}

func testAccountUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateAccountParams
	at, later := s.Now.Add(time.Hour), s.Now.Add(2*time.Hour)
	authdbtest.Account(t, s.Store)
	account := authdbtest.Account(t, s.Store, func(p *authdb.CreateAccountParams) {
		p.AccessToken, p.RefreshToken, p.IDToken, p.Scope, p.Password = new(authdb.Secret("1")), new(authdb.Secret("2")), new(authdb.Secret("3")), new("4"), new(authdb.Secret("5"))
		p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt = &at, &at
	})
	null, noTime := authdb.SetNull[string](), authdb.SetNull[time.Time]()
	kit.CheckUpdates(t, s, "account", account,
		func(p params) (authdb.Account, error) {
			return s.Accounts.Update(t.Context(), account.UserID, account.ID, p)
		},
		kit.Steps[params, authdb.Account]{
			{"nothing", params{}, func(*authdb.Account) {}},
			{"access", params{AccessToken: authdb.Set(authdb.Secret("a"))}, func(a *authdb.Account) { a.AccessToken = new(authdb.Secret("a")) }},
			{"refresh", params{RefreshToken: authdb.Set(authdb.Secret("r"))}, func(a *authdb.Account) { a.RefreshToken = new(authdb.Secret("r")) }},
			{"id token", params{IDToken: authdb.Set(authdb.Secret("i"))}, func(a *authdb.Account) { a.IDToken = new(authdb.Secret("i")) }},
			{"access end", params{AccessTokenExpiresAt: authdb.Set(later)}, func(a *authdb.Account) { a.AccessTokenExpiresAt = &later }},
			{"refresh end", params{RefreshTokenExpiresAt: authdb.Set(later)}, func(a *authdb.Account) { a.RefreshTokenExpiresAt = &later }},
			{"scope", params{Scope: authdb.Set("")}, func(a *authdb.Account) { a.Scope = new("") }},
			{"no access", params{AccessToken: authdb.SetNull[authdb.Secret]()}, func(a *authdb.Account) { a.AccessToken = nil }},
			{"no refresh", params{RefreshToken: authdb.SetNull[authdb.Secret]()}, func(a *authdb.Account) { a.RefreshToken = nil }},
			{"no id token", params{IDToken: authdb.SetNull[authdb.Secret]()}, func(a *authdb.Account) { a.IDToken = nil }},
			{"no access end", params{AccessTokenExpiresAt: noTime}, func(a *authdb.Account) { a.AccessTokenExpiresAt = nil }},
			{"no refresh end", params{RefreshTokenExpiresAt: noTime}, func(a *authdb.Account) { a.RefreshTokenExpiresAt = nil }},
			{"no scope", params{Scope: null}, func(a *authdb.Account) { a.Scope = nil }},
		})
}

func testAccountSetPassword(t *testing.T, s *kit.Fixture) {
	user, other := authdbtest.User(t, s.Store), authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", user.ID))
	authdbtest.Account(t, s.Store, kit.AccountOf(other.ID, "credential", other.ID))
	foreign := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	kit.Exec(t, s.Store, `UPDATE account SET account_id = $1 WHERE id = $2`, authdbtest.User(t, s.Store).ID, foreign.ID)
	account := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	kit.CheckUpdates(t, s, "account", account, func(hash string) (authdb.Account, error) {
		if err := s.Accounts.SetPassword(t.Context(), user.ID, authdb.Secret(hash)); err != nil {
			return authdb.Account{}, err
		}
		return s.Accounts.GetCredential(t.Context(), user.ID)
	}, kit.Steps[string, authdb.Account]{
		{"new", "new", func(a *authdb.Account) { a.Password = new(authdb.Secret("new")) }},
		{"again", "new", func(*authdb.Account) {}},
	})
}

func testAccountDelete(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store)
	before := kit.ReadTables(t, s.Store)
	for _, accountID := range []string{"delete", "delete 2"} {
		authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "google", accountID))
	}
	want := kit.ReadTables(t, s.Store)
	account := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", "delete"))
	s.Deletes(t, want, "Accounts.Delete", func() error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: user.ID, ID: account.ID})
	})
	kit.Returns(t, int64(2))(s.Accounts.DeleteByUser(ctx, user.ID))
	kit.Returns(t, int64(0))(s.Accounts.DeleteByUser(ctx, user.ID))
	s.Holds(t, before)
}

func testAccountDeleteLast(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store) // another user's
	without := kit.ReadTables(t, s.Store)
	remove := func(a authdb.Account, p authdb.DeleteAccountParams) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: user.ID, ID: a.ID, AllowLast: p.AllowLast})
	}
	refused := func(a authdb.Account) {
		t.Helper()
		want := kit.ReadTables(t, s.Store)
		kit.Fails(t, remove(a, authdb.DeleteAccountParams{}), authdb.ErrLastAccount, "Accounts.Delete", "")
		s.Holds(t, want)
	}
	only := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", "last"))
	refused(only)
	credential := authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	kit.Exec(t, s.Store, `UPDATE account SET password = NULL WHERE id = $1`, credential.ID)
	refused(only)
	kit.Exec(t, s.Store, `UPDATE account SET password = '' WHERE id = $1`, credential.ID)
	for _, err := range []error{remove(only, authdb.DeleteAccountParams{}), remove(credential, authdb.DeleteAccountParams{AllowLast: true})} {
		if err != nil {
			t.Error(err)
		}
	}
	s.Holds(t, without)
	// One without a password is no way to sign in, but it is not the last that is.
	only = authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", "last"))
	want := kit.ReadTables(t, s.Store)
	credential = authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "credential", user.ID))
	s.Deletes(t, want, "Accounts.Delete", func() error { return remove(credential, authdb.DeleteAccountParams{}) })
	refused(only)
}

func testAccountList(t *testing.T, s *kit.Fixture) {
	user := authdbtest.User(t, s.Store)
	authdbtest.Account(t, s.Store)
	accounts := rowsOf(func() authdb.Account {
		return authdbtest.Account(t, s.Store, kit.AccountOf(user.ID, "github", s.Id(1)))
	})
	kit.Returns(t, int64(54))(s.Accounts.Count(t.Context(), authdb.ListAccountsParams{UserID: user.ID}))
	checkList(t, s, "Accounts.List", "account", accounts, func(after authdb.Cursor, limit int) authdb.ListAccountsParams {
		return authdb.ListAccountsParams{UserID: user.ID, After: after, Limit: limit}
	}, s.Accounts.List, s.Accounts.All)
}
