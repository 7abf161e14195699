package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// ProviderCredential is the provider id of an account that signs in by e-mail and password.
const ProviderCredential = "credential"

// Account is a way to sign in, a password or an identity at a provider: one row of the account table.
type Account struct {
	ID                    string
	AccountID             string  // the user's id at the provider, as text; the user id where ProviderID is ProviderCredential
	ProviderID            string  // such as "github", or ProviderCredential
	UserID                string  // references user
	AccessToken           *string `json:"-"`
	RefreshToken          *string `json:"-"`
	IDToken               *string `json:"-"`
	AccessTokenExpiresAt  *time.Time
	RefreshTokenExpiresAt *time.Time
	Scope                 *string // joined by commas
	Password              *string `json:"-"` // the hash, salt and key in hex; nil but for ProviderCredential
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

func (a Account) cursor() Cursor { return Cursor{a.CreatedAt, a.ID} }

func toAccount(row dbgen.Account) Account { return Account(row) }

// AccountWithUser is an account and whose it is.
type AccountWithUser struct {
	Account
	User User
}

// CreateAccountParams are the columns of a new account. Each text may have 16,384 characters, but for the ids.
type CreateAccountParams struct {
	UserID                string
	ProviderID            string  // at most 255 characters
	AccountID             string  // at most 255 characters; may be empty for ProviderCredential, where it is the user id
	AccessToken           *string // stored as given
	RefreshToken          *string // stored as given
	IDToken               *string // stored as given
	AccessTokenExpiresAt  *time.Time
	RefreshTokenExpiresAt *time.Time
	Scope                 *string
	Password              *string // the hash
}

// UpdateAccountParams says what to change; the zero value changes nothing but UpdatedAt. The password has a method of
// its own: [AccountRepository.SetPassword].
type UpdateAccountParams struct {
	AccessToken           Change[string]
	RefreshToken          Change[string]
	IDToken               Change[string]
	AccessTokenExpiresAt  Change[time.Time]
	RefreshTokenExpiresAt Change[time.Time]
	Scope                 Change[string]
}

// ListAccountsParams selects a page of a user's accounts.
type ListAccountsParams struct {
	UserID string
	After  Cursor
	Limit  int // rows in a page; defaults to DefaultLimit
}

// AccountRepository reads and writes the account table. It is [Store.Accounts].
type AccountRepository struct{ repo *repo.Repo }

// Create gives a user a way to sign in. It returns [ErrReference] if there is no such user, or [ErrInvalidInput], also
// where a credential account has another AccountID than the user's, which Better Auth 1.7 does not find. It does not
// look whether the identity is linked already.
func (r *AccountRepository) Create(ctx context.Context, p CreateAccountParams) (Account, error) {
	const op = "Accounts.Create"
	if p.ProviderID == ProviderCredential && p.AccountID == "" {
		p.AccountID = p.UserID
	}
	if err := check(op, required("user_id", p.UserID, maxID), required("provider_id", p.ProviderID, maxID),
		required("account_id", p.AccountID, maxID), credentialAccountID(p),
		optional("access_token", p.AccessToken, maxCredential),
		optional("refresh_token", p.RefreshToken, maxCredential),
		optional("id_token", p.IDToken, maxCredential),
		instant("access_token_expires_at", p.AccessTokenExpiresAt),
		instant("refresh_token_expires_at", p.RefreshTokenExpiresAt),
		optional("scope", p.Scope, maxCredential), optional("password", p.Password, maxCredential)); err != nil {
		return Account{}, err
	}
	row, err := r.repo.CreateAccount(ctx, dbgen.CreateAccountParams{
		UserID: p.UserID, ProviderID: p.ProviderID, AccountID: p.AccountID,
		AccessToken: p.AccessToken, RefreshToken: p.RefreshToken, IDToken: p.IDToken,
		AccessTokenExpiresAt: p.AccessTokenExpiresAt, RefreshTokenExpiresAt: p.RefreshTokenExpiresAt,
		Scope: p.Scope, Password: p.Password,
	})
	return Account(row), translate(op, err)
}

func credentialAccountID(p CreateAccountParams) fault {
	if p.ProviderID == ProviderCredential && p.AccountID != p.UserID {
		return fault{field: "account_id", reason: "malformed"}
	}
	return fault{}
}

// Get returns the account with that id if it is the user's, or [ErrNotFound].
func (r *AccountRepository) Get(ctx context.Context, userID, accountID string) (Account, error) {
	const op = "Accounts.Get"
	if err := check(op, id("user_id", userID), id("id", accountID)); err != nil {
		return Account{}, err
	}
	row, err := r.repo.GetAccount(ctx, dbgen.GetAccountParams{UserID: userID, ID: accountID})
	return Account(row), translate(op, err)
}

// GetByProvider returns the account with that identity at a provider and its user, or [ErrNotFound]. Where the
// identity was linked twice, the oldest link counts.
func (r *AccountRepository) GetByProvider(ctx context.Context, providerID, accountID string) (AccountWithUser, error) {
	const op = "Accounts.GetByProvider"
	if err := check(op, id("provider_id", providerID), id("account_id", accountID)); err != nil {
		return AccountWithUser{}, err
	}
	row, err := r.repo.GetAccountByProvider(ctx, dbgen.GetAccountByProviderParams{
		ProviderID: providerID, AccountID: accountID,
	})
	return AccountWithUser{Account(row.Account), User(row.User)}, translate(op, err)
}

// GetCredential returns the account by which a user signs in with a password, or [ErrNotFound].
func (r *AccountRepository) GetCredential(ctx context.Context, userID string) (Account, error) {
	const op = "Accounts.GetCredential"
	if err := check(op, id("user_id", userID)); err != nil {
		return Account{}, err
	}
	row, err := r.repo.GetCredentialAccount(ctx, userID)
	return Account(row), translate(op, err)
}

// List returns a page of a user's accounts, oldest first. It returns [ErrInvalidInput].
func (r *AccountRepository) List(ctx context.Context, p ListAccountsParams) (Page[Account], error) {
	const op = "Accounts.List"
	if err := check(op, id("user_id", p.UserID), pageSize(p.Limit)); err != nil {
		return Page[Account]{}, err
	}
	limit := rowLimit(p.Limit)
	rows, err := r.repo.ListAccounts(ctx, dbgen.ListAccountsParams{
		UserID: p.UserID, AfterCreatedAt: p.After.createdAt, AfterID: p.After.id, RowLimit: limit,
	})
	return newPage(rows, limit, toAccount, Account.cursor), translate(op, err)
}

// All iterates over the accounts of [AccountRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error
// ends it.
func (r *AccountRepository) All(ctx context.Context, p ListAccountsParams) iter.Seq2[Account, error] {
	return eachItem(ctx, p, func(p *ListAccountsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns the number of a user's accounts. It returns [ErrInvalidInput].
func (r *AccountRepository) Count(ctx context.Context, userID string) (int64, error) {
	const op = "Accounts.Count"
	if err := check(op, id("user_id", userID)); err != nil {
		return 0, err
	}
	n, err := r.repo.CountAccounts(ctx, userID)
	return n, translate(op, err)
}

// Update changes what p says of a user's account and returns it. It returns [ErrNotFound] or [ErrInvalidInput].
func (r *AccountRepository) Update(ctx context.Context, userID, accountID string, p UpdateAccountParams) (Account, error) {
	const op = "Accounts.Update"
	if err := check(op, id("user_id", userID), id("id", accountID),
		optional("access_token", p.AccessToken.value, maxCredential),
		optional("refresh_token", p.RefreshToken.value, maxCredential),
		optional("id_token", p.IDToken.value, maxCredential),
		instant("access_token_expires_at", p.AccessTokenExpiresAt.value),
		instant("refresh_token_expires_at", p.RefreshTokenExpiresAt.value),
		optional("scope", p.Scope.value, maxCredential)); err != nil {
		return Account{}, err
	}
	row, err := r.repo.UpdateAccount(ctx, dbgen.UpdateAccountParams{
		UserID: userID, ID: accountID,
		SetAccessToken: p.AccessToken.set, AccessToken: p.AccessToken.value,
		SetRefreshToken: p.RefreshToken.set, RefreshToken: p.RefreshToken.value,
		SetIDToken: p.IDToken.set, IDToken: p.IDToken.value,
		SetAccessTokenExpiresAt: p.AccessTokenExpiresAt.set, AccessTokenExpiresAt: p.AccessTokenExpiresAt.value,
		SetRefreshTokenExpiresAt: p.RefreshTokenExpiresAt.set, RefreshTokenExpiresAt: p.RefreshTokenExpiresAt.value,
		SetScope: p.Scope.set, Scope: p.Scope.value,
	})
	return Account(row), translate(op, err)
}

// SetPassword stores a new password hash in a user's credential account. It returns [ErrNotFound] if the user has
// none, or [ErrInvalidInput]. It signs nobody out.
func (r *AccountRepository) SetPassword(ctx context.Context, userID, hash string) error {
	const op = "Accounts.SetPassword"
	if err := check(op, id("user_id", userID), required("password", hash, maxCredential)); err != nil {
		return err
	}
	n, err := r.repo.SetAccountPassword(ctx, dbgen.SetAccountPasswordParams{UserID: userID, Password: &hash})
	return affected(op, n, err)
}

// Delete removes a way to sign in, be it the user's last. It returns [ErrNotFound].
func (r *AccountRepository) Delete(ctx context.Context, userID, accountID string) error {
	const op = "Accounts.Delete"
	if err := check(op, id("user_id", userID), id("id", accountID)); err != nil {
		return err
	}
	n, err := r.repo.DeleteAccount(ctx, dbgen.DeleteAccountParams{UserID: userID, ID: accountID})
	return affected(op, n, err)
}

// DeleteByUser removes all of a user's accounts and returns how many there were. It returns [ErrInvalidInput].
func (r *AccountRepository) DeleteByUser(ctx context.Context, userID string) (int64, error) {
	const op = "Accounts.DeleteByUser"
	if err := check(op, id("user_id", userID)); err != nil {
		return 0, err
	}
	n, err := r.repo.DeleteAccountsByUser(ctx, userID)
	return n, translate(op, err)
}
