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
	ID                    string     `json:"id"`
	AccountID             string     `json:"accountId"`  // the id at the provider; for ProviderCredential the user id
	ProviderID            string     `json:"providerId"` // such as "github", or ProviderCredential
	UserID                string     `json:"userId"`     // references user
	AccessToken           *Secret    `json:"-"`
	RefreshToken          *Secret    `json:"-"`
	IDToken               *Secret    `json:"-"`
	AccessTokenExpiresAt  *time.Time `json:"accessTokenExpiresAt"`
	RefreshTokenExpiresAt *time.Time `json:"refreshTokenExpiresAt"`
	Scope                 *string    `json:"scope"` // joined by commas
	Password              *Secret    `json:"-"`     // the hash, salt and key in hex; nil except for ProviderCredential
	CreatedAt             time.Time  `json:"createdAt"`
	UpdatedAt             time.Time  `json:"updatedAt"`
}

func (a Account) cursor() Cursor { return Cursor{a.CreatedAt, a.ID} }

func toAccount(row dbgen.Account) Account { return Account(row) }

// AccountWithUser is an account and its user.
type AccountWithUser struct {
	Account
	User User `json:"user"`
}

func accountWithUser(row dbgen.GetAccountWithUserByProviderRow) AccountWithUser {
	return AccountWithUser{Account(row.Account), User(row.User)}
}

// CreateAccountParams are the columns of a new account. Each text except the ids may have 16,384 characters.
type CreateAccountParams struct {
	ID                    string // empty: a new one
	UserID                string
	ProviderID            string  // at most 255 characters
	AccountID             string  // at most 255 characters; may be empty for ProviderCredential, where it is the user id
	AccessToken           *Secret // stored as given
	RefreshToken          *Secret // stored as given
	IDToken               *Secret // stored as given
	AccessTokenExpiresAt  *time.Time
	RefreshTokenExpiresAt *time.Time
	Scope                 *string
	Password              *Secret // the hash
}

// UpdateAccountParams says what to change; the zero value changes nothing but UpdatedAt. The password has a method of
// its own: [AccountRepository.SetPassword].
type UpdateAccountParams struct {
	AccessToken           Change[Secret]    `json:"accessToken,omitzero"`
	RefreshToken          Change[Secret]    `json:"refreshToken,omitzero"`
	IDToken               Change[Secret]    `json:"idToken,omitzero"`
	AccessTokenExpiresAt  Change[time.Time] `json:"accessTokenExpiresAt,omitzero"`
	RefreshTokenExpiresAt Change[time.Time] `json:"refreshTokenExpiresAt,omitzero"`
	Scope                 Change[string]    `json:"scope,omitzero"`
}

// DeleteAccountParams say which account to delete, and whether it may be the last.
type DeleteAccountParams struct {
	UserID    string
	ID        string
	AllowLast bool // leave the user without a way to sign in
}

// ListAccountsParams selects a page of a user's accounts.
type ListAccountsParams struct {
	UserID string
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// AccountRepository reads and writes the account table. It is [Store.Accounts].
type AccountRepository struct{ door }

// Create gives a user a way to sign in. It returns [ErrAccountTaken] if the identity is already linked, even to the
// same user, [ErrReference] if there is no such user, or [ErrInvalidInput]. The AccountID of a credential account must
// be the user's id, since Better Auth 1.7 finds no other.
func (r AccountRepository) Create(ctx context.Context, p CreateAccountParams) (Account, error) {
	const op = "Accounts.Create"
	if p.ProviderID == ProviderCredential && p.AccountID == "" {
		p.AccountID = p.UserID
	}
	if err := check(op, required("user_id", p.UserID, maxID), required("account_id", p.AccountID, maxID),
		credentialAccountID(p)); err != nil {
		return Account{}, err
	}
	if err := p.check(op); err != nil {
		return Account{}, err
	}
	row, err := r.repo().CreateAccount(ctx, op, p.row())
	return answer(op, row, err, toAccount)
}

// Link gives a user an identity at a provider, or renews the tokens of one that the user has. What p leaves nil stays,
// and scopes are added to those that were granted before, as from Better Auth 1.7 on. An identity never moves to
// another user. Link returns [ErrAccountTaken] if it is another user's, [ErrReference] if there is no such user, or
// [ErrInvalidInput], also for [ProviderCredential], for which Create is.
func (r AccountRepository) Link(ctx context.Context, p CreateAccountParams) (Account, error) {
	const op = "Accounts.Link"
	if err := check(op, required("user_id", p.UserID, maxID), required("account_id", p.AccountID, maxID),
		linkable(p)); err != nil {
		return Account{}, err
	}
	if err := p.check(op); err != nil {
		return Account{}, err
	}
	row, err := r.repo().LinkAccount(ctx, op, dbgen.LinkAccountParams{
		ID: p.ID, UserID: p.UserID, ProviderID: p.ProviderID, AccountID: p.AccountID,
		AccessToken: (*string)(p.AccessToken), RefreshToken: (*string)(p.RefreshToken), IDToken: (*string)(p.IDToken),
		AccessTokenExpiresAt: p.AccessTokenExpiresAt, RefreshTokenExpiresAt: p.RefreshTokenExpiresAt, Scope: p.Scope,
	})
	return answer(op, row, err, toAccount)
}

// linkable refuses params that are no identity at a provider.
func linkable(p CreateAccountParams) fault {
	if p.ProviderID == ProviderCredential {
		return fault{field: "provider_id", reason: "malformed"}
	}
	if p.Password != nil {
		return fault{field: "password", reason: "malformed"}
	}
	return fault{}
}

// check checks everything but the ids of the user and of the account.
func (p CreateAccountParams) check(op string) error {
	return check(op, text("id", p.ID, maxID), required("provider_id", p.ProviderID, maxID),
		optional("access_token", p.AccessToken, maxCredential),
		optional("refresh_token", p.RefreshToken, maxCredential),
		optional("id_token", p.IDToken, maxCredential),
		instant("access_token_expires_at", p.AccessTokenExpiresAt),
		instant("refresh_token_expires_at", p.RefreshTokenExpiresAt),
		optional("scope", p.Scope, maxCredential), optional("password", p.Password, maxCredential))
}

func (p CreateAccountParams) row() dbgen.CreateAccountParams {
	return dbgen.CreateAccountParams{
		ID: p.ID, UserID: p.UserID, ProviderID: p.ProviderID, AccountID: p.AccountID,
		AccessToken: (*string)(p.AccessToken), RefreshToken: (*string)(p.RefreshToken), IDToken: (*string)(p.IDToken),
		AccessTokenExpiresAt: p.AccessTokenExpiresAt, RefreshTokenExpiresAt: p.RefreshTokenExpiresAt,
		Scope: p.Scope, Password: (*string)(p.Password),
	}
}

func credentialAccountID(p CreateAccountParams) fault {
	if p.ProviderID == ProviderCredential && p.AccountID != p.UserID {
		return fault{field: "account_id", reason: "malformed"}
	}
	return fault{}
}

// Get returns the account with that id if it is the user's, or [ErrNotFound].
func (r AccountRepository) Get(ctx context.Context, userID, id string) (Account, error) {
	const op = "Accounts.Get"
	if err := check(op, key("user_id", userID), key("id", id)); err != nil {
		return Account{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetAccount, dbgen.GetAccountParams{UserID: userID, ID: id}, toAccount)
}

// GetWithUserByProvider returns the account with that identity at a provider and its user, or [ErrNotFound].
func (r AccountRepository) GetWithUserByProvider(
	ctx context.Context, providerID, accountID string,
) (AccountWithUser, error) {
	const op = "Accounts.GetWithUserByProvider"
	if err := check(op, id("provider_id", providerID), id("account_id", accountID)); err != nil {
		return AccountWithUser{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetAccountWithUserByProvider, dbgen.GetAccountWithUserByProviderParams{
		ProviderID: providerID, AccountID: accountID,
	}, accountWithUser)
}

// GetCredential returns the account by which a user signs in with a password, or [ErrNotFound].
func (r AccountRepository) GetCredential(ctx context.Context, userID string) (Account, error) {
	const op = "Accounts.GetCredential"
	if err := check(op, id("user_id", userID)); err != nil {
		return Account{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetCredentialAccount, userID, toAccount)
}

// List returns a page of a user's accounts, oldest first unless p.Newest. It returns [ErrInvalidInput].
func (r AccountRepository) List(ctx context.Context, p ListAccountsParams) (Page[Account], error) {
	const op = "Accounts.List"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return Page[Account]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListAccountsParams{
		UserID: p.UserID, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListAccountsNewest, dbgen.ListAccountsNewestParams(args),
			p.Limit, toAccount, Account.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListAccounts, args, p.Limit, toAccount, Account.cursor)
}

// All iterates over the accounts of [AccountRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error
// ends it.
func (r AccountRepository) All(ctx context.Context, p ListAccountsParams) iter.Seq2[Account, error] {
	return eachItem(ctx, p, func(p *ListAccountsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns how many accounts [AccountRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r AccountRepository) Count(ctx context.Context, p ListAccountsParams) (int64, error) {
	const op = "Accounts.Count"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountAccounts, p.UserID, itself)
}

// Update changes what p says of a user's account and returns it. It returns [ErrNotFound] or [ErrInvalidInput].
func (r AccountRepository) Update(
	ctx context.Context, userID, id string, p UpdateAccountParams,
) (Account, error) {
	const op = "Accounts.Update"
	if err := check(op, key("user_id", userID), key("id", id),
		optional("access_token", p.AccessToken.value, maxCredential),
		optional("refresh_token", p.RefreshToken.value, maxCredential),
		optional("id_token", p.IDToken.value, maxCredential),
		instant("access_token_expires_at", p.AccessTokenExpiresAt.value),
		instant("refresh_token_expires_at", p.RefreshTokenExpiresAt.value),
		optional("scope", p.Scope.value, maxCredential)); err != nil {
		return Account{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateAccount, dbgen.UpdateAccountParams{
		UserID: userID, ID: id, Now: r.repo().Now(),
		SetAccessToken: p.AccessToken.set, AccessToken: (*string)(p.AccessToken.value),
		SetRefreshToken: p.RefreshToken.set, RefreshToken: (*string)(p.RefreshToken.value),
		SetIDToken: p.IDToken.set, IDToken: (*string)(p.IDToken.value),
		SetAccessTokenExpiresAt: p.AccessTokenExpiresAt.set, AccessTokenExpiresAt: repo.UTC(p.AccessTokenExpiresAt.value),
		SetRefreshTokenExpiresAt: p.RefreshTokenExpiresAt.set,
		RefreshTokenExpiresAt:    repo.UTC(p.RefreshTokenExpiresAt.value),
		SetScope:                 p.Scope.set, Scope: p.Scope.value,
	}, (*queries).GetAccount, dbgen.GetAccountParams{UserID: userID, ID: id})
	return answer(op, row, err, toAccount)
}

// SetPassword stores a new password hash in a user's credential account. It returns [ErrNotFound] if the user has
// none, or [ErrInvalidInput]. It signs nobody out.
func (r AccountRepository) SetPassword(ctx context.Context, userID string, hash Secret) error {
	const op = "Accounts.SetPassword"
	if err := check(op, id("user_id", userID), required("password", hash, maxCredential)); err != nil {
		return err
	}
	return translate(op, repo.Delete(ctx, r.repo(), op, (*queries).SetAccountPassword, dbgen.SetAccountPasswordParams{
		UserID: userID, Password: string(hash), Now: r.repo().Now(),
	}))
}

// Delete removes a way to sign in. It returns [ErrNotFound], or [ErrLastAccount] if no other would be left and p does
// not allow that. A credential account without a password does not count as one.
func (r AccountRepository) Delete(ctx context.Context, p DeleteAccountParams) error {
	const op = "Accounts.Delete"
	if err := check(op, id("user_id", p.UserID), id("id", p.ID)); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteAccount(ctx, op, dbgen.DeleteAccountParams{
		UserID: p.UserID, ID: p.ID, AllowLast: p.AllowLast,
	}))
}

// DeleteByUser removes all of a user's accounts and returns how many there were. It returns [ErrInvalidInput].
func (r AccountRepository) DeleteByUser(ctx context.Context, userID string) (int64, error) {
	const op = "Accounts.DeleteByUser"
	if err := check(op, id("user_id", userID)); err != nil {
		return 0, err
	}
	n, err := repo.Count(ctx, r.repo(), op, (*queries).DeleteAccountsByUser, userID)
	return n, translate(op, err)
}
