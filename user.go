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
	ID            string
	Name          string
	Email         string // lower case, unique
	EmailVerified bool
	Image         *string // avatar URL; nil if there is none
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

func (u User) cursor() Cursor { return Cursor{u.CreatedAt, u.ID} }

func toUser(row dbgen.User) User { return User(row) }

// CreateUserParams are the columns of a new user.
type CreateUserParams struct {
	Name          string // at most 255 characters
	Email         string // stored in lower case; at most 254 characters
	EmailVerified bool
	Image         *string // at most 2,048 characters
}

func (p CreateUserParams) check(op string) error {
	return check(op, text("name", p.Name, maxName), emailAddress(p.Email), optional("image", p.Image, maxURL))
}

// UpdateUserParams says what to change; the zero value changes nothing but UpdatedAt. The e-mail address has methods
// of its own, so that none is changed by a form that happens to carry it.
type UpdateUserParams struct {
	Name  *string // nil leaves it
	Image Change[string]
}

// ListUsersParams selects a page of all users.
type ListUsersParams struct {
	After Cursor
	Limit int // rows in a page; defaults to DefaultLimit
}

// UserRepository reads and writes the user table. It is [Store.Users].
type UserRepository struct{ repo *repo.Repo }

// Create adds a user. It returns [ErrEmailTaken] or [ErrInvalidInput]. It adds no account: until one is linked, the
// user cannot sign in.
func (r *UserRepository) Create(ctx context.Context, p CreateUserParams) (User, error) {
	const op = "Users.Create"
	p.Email = canonicalEmail(p.Email)
	if err := p.check(op); err != nil {
		return User{}, err
	}
	row, err := r.repo.CreateUser(ctx, dbgen.CreateUserParams{
		Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Image: p.Image,
	})
	return User(row), translate(op, err)
}

// CreateMany adds any number of users by COPY, all or none, and returns them in the order given. It returns
// [ErrEmailTaken] or [ErrInvalidInput].
func (r *UserRepository) CreateMany(ctx context.Context, ps []CreateUserParams) ([]User, error) {
	const op = "Users.CreateMany"
	rows := make([]dbgen.CreateUsersParams, len(ps))
	for i, p := range ps {
		p.Email = canonicalEmail(p.Email)
		if err := p.check(op); err != nil {
			return nil, err
		}
		rows[i] = dbgen.CreateUsersParams{Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Image: p.Image}
	}
	created, err := r.repo.CreateUsers(ctx, rows)
	return each(created, toUser, err), translate(op, err)
}

// Get returns the user with that id, or [ErrNotFound].
func (r *UserRepository) Get(ctx context.Context, userID string) (User, error) {
	const op = "Users.Get"
	if err := check(op, id("id", userID)); err != nil {
		return User{}, err
	}
	row, err := r.repo.GetUser(ctx, userID)
	return User(row), translate(op, err)
}

// GetByEmail returns the user with that address in any case, or [ErrNotFound].
func (r *UserRepository) GetByEmail(ctx context.Context, email string) (User, error) {
	const op = "Users.GetByEmail"
	email = canonicalEmail(email)
	if err := check(op, key("email", email, maxEmail)); err != nil {
		return User{}, err
	}
	row, err := r.repo.GetUserByEmail(ctx, email)
	return User(row), translate(op, err)
}

// List returns a page of all users, oldest first. It is meant for administration: nothing narrows it.
func (r *UserRepository) List(ctx context.Context, p ListUsersParams) (Page[User], error) {
	const op = "Users.List"
	if err := check(op, pageSize(p.Limit)); err != nil {
		return Page[User]{}, err
	}
	limit := rowLimit(p.Limit)
	rows, err := r.repo.ListUsers(ctx, dbgen.ListUsersParams{
		AfterCreatedAt: p.After.createdAt, AfterID: p.After.id, RowLimit: limit,
	})
	return newPage(rows, limit, toUser, User.cursor), translate(op, err)
}

// All iterates over the users of [UserRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error ends
// it.
func (r *UserRepository) All(ctx context.Context, p ListUsersParams) iter.Seq2[User, error] {
	return eachItem(ctx, p, func(p *ListUsersParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns the number of users. It reads the whole table.
func (r *UserRepository) Count(ctx context.Context) (int64, error) {
	n, err := r.repo.CountUsers(ctx)
	return n, translate("Users.Count", err)
}

// Update changes what p says and returns the user. It returns [ErrNotFound] or [ErrInvalidInput].
func (r *UserRepository) Update(ctx context.Context, userID string, p UpdateUserParams) (User, error) {
	const op = "Users.Update"
	if err := check(op, id("id", userID), optional("name", p.Name, maxName), optional("image", p.Image.value, maxURL)); err != nil {
		return User{}, err
	}
	row, err := r.repo.UpdateUser(ctx, dbgen.UpdateUserParams{
		ID: userID, Name: p.Name, SetImage: p.Image.set, Image: p.Image.value,
	})
	return User(row), translate(op, err)
}

// SetEmail changes the address of a user together with whether it is proved, and returns the user. It returns
// [ErrNotFound], [ErrEmailTaken] or [ErrInvalidInput].
func (r *UserRepository) SetEmail(ctx context.Context, userID, email string, verified bool) (User, error) {
	const op = "Users.SetEmail"
	email = canonicalEmail(email)
	if err := check(op, id("id", userID), emailAddress(email)); err != nil {
		return User{}, err
	}
	row, err := r.repo.SetUserEmail(ctx, dbgen.SetUserEmailParams{ID: userID, Email: email, EmailVerified: verified})
	return User(row), translate(op, err)
}

// VerifyEmail marks an address as proved and returns its user, or [ErrNotFound] if no user has it (any more).
func (r *UserRepository) VerifyEmail(ctx context.Context, email string) (User, error) {
	const op = "Users.VerifyEmail"
	email = canonicalEmail(email)
	if err := check(op, key("email", email, maxEmail)); err != nil {
		return User{}, err
	}
	row, err := r.repo.VerifyUserEmail(ctx, dbgen.VerifyUserEmailParams{Email: email})
	return User(row), translate(op, err)
}

// Delete removes a user with all that belongs to it: sessions, accounts, memberships and the invitations it sent. It
// returns [ErrNotFound]. It does not look at organizations that lose their only owner.
func (r *UserRepository) Delete(ctx context.Context, userID string) error {
	const op = "Users.Delete"
	if err := check(op, id("id", userID)); err != nil {
		return err
	}
	n, err := r.repo.DeleteUser(ctx, userID)
	return affected(op, n, err)
}
