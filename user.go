package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// User is a person who can sign in: one row of the user table.
type User struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Email         string    `json:"email"` // lower case, unique
	EmailVerified bool      `json:"emailVerified"`
	Image         *string   `json:"image"` // avatar URL; nil if there is none
	CreatedAt     time.Time `json:"createdAt"`
	UpdatedAt     time.Time `json:"updatedAt"`
}

func (u User) cursor() Cursor { return Cursor{u.CreatedAt, u.ID} }

func toUser(row dbgen.User) User { return User(row) }

// CreateUserParams are the columns of a new user.
type CreateUserParams struct {
	ID            string // empty: a new one
	Name          string // at most 255 characters
	Email         string // stored in lower case; at most 254 characters
	EmailVerified bool
	Image         *string // at most 2,048 characters
}

func (p CreateUserParams) check(op string) error {
	return check(op, text("id", p.ID, maxID), text("name", p.Name, maxName), emailAddress(p.Email),
		optional("image", p.Image, maxURL))
}

// CreateUserWithAccountParams are a new user and its way to sign in.
type CreateUserWithAccountParams struct {
	User    CreateUserParams
	Account CreateAccountParams
}

// UserWithAccount is a user and one of its accounts.
type UserWithAccount struct {
	User
	Account Account `json:"account"`
}

// UpdateUserParams says what to change; the zero value changes nothing but UpdatedAt. It has no e-mail address, so that
// a form with one cannot change it: see SetEmail.
type UpdateUserParams struct {
	Name  Change[string] `json:"name,omitzero"`
	Image Change[string] `json:"image,omitzero"`
}

// SetEmailParams are a new address.
type SetEmailParams struct {
	Email    string // stored in lower case; at most 254 characters
	Verified bool   // the user has proved it; ignored if the user has this Email already, unverified
}

// VerifyEmailParams say what was proved, and how.
type VerifyEmailParams struct {
	Email string // the address, in any case
	// KeepAccess keeps accounts and sessions. It is for a proof by somebody who is signed in as the user, such as Better
	// Auth's /verify-email, and not for one that signs in, such as a magic link or a code by mail.
	KeepAccess bool
}

// VerifiedUser is a user whose address is proved.
type VerifiedUser struct {
	User User `json:"user"`
	// The sessions that ended, in no order, so that a cache can forget their tokens.
	Sessions []Session `json:"sessions"`
}

// DeleteUserParams say which user to delete, and what happens to organizations whose only owner that user is. By
// default such a user is not deleted.
type DeleteUserParams struct {
	UserID              string
	SuccessorID         string // a user who becomes an owner of each, and first a member if need be
	DeleteOrganizations bool   // delete each, with all that belongs to it
}

// DeletedUser is what changed along with a user's deletion.
type DeletedUser struct {
	// The user's sessions, in no order, so that a cache can forget their tokens.
	Sessions []Session `json:"sessions"`
	// The organizations whose only owner the user was, by id: deleted, handed over, or, with ErrLastOwner, in the way.
	OrganizationIDs []string `json:"organizationIds"`
}

// ListUsersParams selects a page of all users.
type ListUsersParams struct {
	Verified *bool // only those whose address is verified, or is not; nil: both. A page is slow if few users match
	Newest   bool  // newest first; otherwise oldest first
	After    Cursor
	Limit    int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// SearchUsersParams says whom to look for.
type SearchUsersParams struct {
	Prefix string // the start of the address or the name, in any case; not empty, at most 255 characters
	Limit  int    // the most users to return, at most MaxLimit; zero: DefaultLimit
}

// UserRepository reads and writes the user table. It is [Store.Users].
type UserRepository struct{ door }

// Create adds a user. It returns [ErrEmailTaken] or [ErrInvalidInput]. It adds no account: until one is linked, the
// user cannot sign in.
func (r UserRepository) Create(ctx context.Context, p CreateUserParams) (User, error) {
	const op = "Users.Create"
	p.Email = canonicalEmail(p.Email)
	if err := p.check(op); err != nil {
		return User{}, err
	}
	row, err := r.repo().CreateUser(ctx, op, dbgen.CreateUserParams{
		ID: p.ID, Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Image: p.Image,
	})
	return answer(op, row, err, toUser)
}

// CreateWithAccount adds a user and a way to sign in, both or neither, in one round trip: what a sign-up does. It sets
// the account's UserID, which must be empty, and for [ProviderCredential] its AccountID. It returns [ErrEmailTaken],
// [ErrAccountTaken] or [ErrInvalidInput].
func (r UserRepository) CreateWithAccount(
	ctx context.Context, p CreateUserWithAccountParams,
) (UserWithAccount, error) {
	const op = "Users.CreateWithAccount"
	u, a := p.User, p.Account
	u.Email = canonicalEmail(u.Email)
	if err := u.check(op); err != nil {
		return UserWithAccount{}, err
	}
	if a.UserID != "" {
		return UserWithAccount{}, check(op, fault{field: "user_id", reason: "malformed"})
	}
	if a.ProviderID == ProviderCredential {
		a.AccountID = ""
	} else if err := check(op, required("account_id", a.AccountID, maxID)); err != nil {
		return UserWithAccount{}, err
	}
	if err := a.check(op); err != nil {
		return UserWithAccount{}, err
	}
	user, account, err := r.repo().CreateUserWithAccount(ctx, op, dbgen.CreateUserParams{
		ID: u.ID, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Image: u.Image,
	}, a.row())
	if err != nil { // the answer has the user's row even if the account was refused
		return UserWithAccount{}, translate(op, err)
	}
	return UserWithAccount{User(user), Account(account)}, nil
}

// CreateMany adds any number of users, all or none, and returns them in the order given. It returns
// [ErrEmailTaken] or [ErrInvalidInput].
func (r UserRepository) CreateMany(ctx context.Context, ps []CreateUserParams) ([]User, error) {
	const op = "Users.CreateMany"
	rows := make([]dbgen.User, len(ps))
	for i, p := range ps {
		p.Email = canonicalEmail(p.Email)
		if err := p.check(op); err != nil {
			return nil, err
		}
		rows[i] = dbgen.User{ID: p.ID, Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Image: p.Image}
	}
	created, err := r.repo().CreateUsers(ctx, op, rows)
	return answers(op, created, err, toUser)
}

// Get returns the user with that id, or [ErrNotFound].
func (r UserRepository) Get(ctx context.Context, userID string) (User, error) {
	const op = "Users.Get"
	if err := check(op, id("user_id", userID)); err != nil {
		return User{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetUser, userID, toUser)
}

// GetByEmail returns the user with that address, given in any case, or [ErrNotFound]. As in Better Auth, it does not
// find a row whose stored address has capitals, which an older program may have left.
func (r UserRepository) GetByEmail(ctx context.Context, email string) (User, error) {
	const op = "Users.GetByEmail"
	email = canonicalEmail(email)
	if err := check(op, key("email", email)); err != nil {
		return User{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetUserByEmail, email, toUser)
}

// List returns a page of all users, oldest first unless p.Newest. It is meant for administration: nothing narrows it.
func (r UserRepository) List(ctx context.Context, p ListUsersParams) (Page[User], error) {
	const op = "Users.List"
	if err := check(op, pageOf(p.After, p.Limit)); err != nil {
		return Page[User]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListUsersParams{
		Verified: p.Verified, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListUsersNewest, dbgen.ListUsersNewestParams(args),
			p.Limit, toUser, User.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListUsers, args, p.Limit, toUser, User.cursor)
}

// All iterates over the users of [UserRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error ends
// it.
func (r UserRepository) All(ctx context.Context, p ListUsersParams) iter.Seq2[User, error] {
	return eachItem(ctx, p, func(p *ListUsersParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns how many users [UserRepository.List] has on all its pages. It reads the whole table.
func (r UserRepository) Count(ctx context.Context, p ListUsersParams) (int64, error) {
	const op = "Users.Count"
	if err := check(op, pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountUsers, p.Verified, itself)
}

// Search returns users whose address or name begins with p.Prefix, ordered by address. If more than p.Limit do, these
// are the first by address and the first by name. It returns [ErrInvalidInput]. It is meant for administration: nothing
// narrows it.
func (r UserRepository) Search(ctx context.Context, p SearchUsersParams) ([]User, error) {
	const op = "Users.Search"
	if err := check(op, required("prefix", p.Prefix, maxName), pageSize(p.Limit)); err != nil {
		return nil, err
	}
	rows, err := repo.Read(ctx, r.repo(), op, (*queries).SearchUsers, dbgen.SearchUsersParams{
		EmailPrefix: canonicalEmail(p.Prefix), NamePrefix: p.Prefix, RowLimit: rowLimit(p.Limit) - 1,
	})
	return answers(op, rows, err, toUser)
}

// Update changes what p says and returns the user. It returns [ErrNotFound] or [ErrInvalidInput].
func (r UserRepository) Update(ctx context.Context, userID string, p UpdateUserParams) (User, error) {
	const op = "Users.Update"
	if err := check(op, id("user_id", userID), p.Name.notNull("name"),
		optional("name", p.Name.value, maxName), optional("image", p.Image.value, maxURL)); err != nil {
		return User{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateUser, dbgen.UpdateUserParams{
		ID: userID, Name: p.Name.value, SetImage: p.Image.set, Image: p.Image.value, Now: r.repo().Now(),
	}, (*queries).GetUser, userID)
	return answer(op, row, err, toUser)
}

// SetEmail changes the address of a user, and whether it is verified, and returns the user. It cannot mark the address
// that the user already has as verified; VerifyEmail does, and also removes what a squatter left. Pending invitations
// to the former address are canceled. It returns [ErrNotFound], [ErrEmailTaken] or [ErrInvalidInput].
func (r UserRepository) SetEmail(ctx context.Context, userID string, p SetEmailParams) (User, error) {
	const op = "Users.SetEmail"
	p.Email = canonicalEmail(p.Email)
	if err := check(op, id("user_id", userID), emailAddress(p.Email)); err != nil {
		return User{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).SetUserEmail, dbgen.SetUserEmailParams{
		ID: userID, Email: p.Email, EmailVerified: &p.Verified, Now: r.repo().Now(),
	}, (*queries).GetUser, userID)
	return answer(op, row, err, toUser)
}

// VerifyEmail marks the address of a user as verified. If it was unverified, the user's accounts and sessions are
// deleted unless p.KeepAccess is set: whoever made them had not proved the address. Better Auth 1.7.25 does the same
// when a magic link or a code by mail signs in. If it was verified before, nothing changes. It returns [ErrNotFound] if
// the user has another address, or [ErrInvalidInput].
//
// A verification that names the user in its value, such as a reset token, stays: values have no index.
//
// It waits for sign-ins that are under way and ends them too, but not for a program that has read the password and
// makes the session later.
func (r UserRepository) VerifyEmail(ctx context.Context, userID string, p VerifyEmailParams) (VerifiedUser, error) {
	const op = "Users.VerifyEmail"
	p.Email = canonicalEmail(p.Email)
	if err := check(op, id("user_id", userID), key("email", p.Email)); err != nil {
		return VerifiedUser{}, err
	}
	row, revoked, err := r.repo().VerifyUserEmail(ctx, op, dbgen.VerifyUserEmailParams{
		ID: userID, Email: p.Email, KeepAccess: p.KeepAccess,
	})
	if err != nil {
		return VerifiedUser{}, translate(op, err)
	}
	return VerifiedUser{User(row), each(revoked, toSession)}, nil
}

// Delete removes a user with its sessions, accounts, memberships and the invitations that it sent.
// Pending invitations to the user's address in its organizations are canceled, and so are those to the successor's
// address in the organizations that the successor gets. It returns [ErrLastOwner] if the user is the only owner of an
// organization, unless p says what happens to that, [ErrReference] if there is no such successor, [ErrNotFound],
// [ErrReferenced] if rows of the caller's own tables refer to the user, or [ErrInvalidInput].
func (r UserRepository) Delete(ctx context.Context, p DeleteUserParams) (DeletedUser, error) {
	const op = "Users.Delete"
	if err := check(op, id("user_id", p.UserID), text("successor_id", p.SuccessorID, maxID), successor(p)); err != nil {
		return DeletedUser{}, err
	}
	row, sessions, err := r.repo().DeleteUser(ctx, op, dbgen.DeleteUserParams{
		ID: p.UserID, SuccessorID: nonEmpty(p.SuccessorID), DeleteOrganizations: p.DeleteOrganizations,
	})
	if err := deleted(op, err); err != nil {
		return DeletedUser{OrganizationIDs: row.OrganizationIds}, err
	}
	return DeletedUser{each(sessions, toSession), row.OrganizationIds}, nil
}

func successor(p DeleteUserParams) fault {
	if p.SuccessorID != "" && (p.DeleteOrganizations || p.SuccessorID == p.UserID) {
		return fault{field: "successor_id", reason: "malformed"}
	}
	return fault{}
}
