// Package admin does what Better Auth's admin plugin does (measured on 1.3.34, 1.4.22, 1.5.6, 1.6.34 and 1.7.25): it
// bans and unbans users, sets their roles, and makes sessions by which an administrator acts as another. The columns
// are the application's; authdb has no migration for them.
//
//	users, err := admin.New(ctx, store, admin.Options{}) // when the program starts
//	ended, err := users.Ban(ctx, admin.BanParams{UserID: id, By: who.User.ID, Reason: "spam"})
//
// That nobody who is banned signs in, authdb sees to without this package, and authdb.WithPlugins brings role and ban
// with each request. To end a user's sessions, call Sessions.DeleteByUser; to remove one, Users.Delete.
package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/admindb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// The limits of what is stored, in characters.
const maxRole, maxReason = 1024, 1024

// Options are those of the plugin. The zero value has its defaults.
type Options struct {
	// Rules are the plugin's roles, default role and version; Platform is understood.
	Rules permission.Rules
	// UserIDs is adminUserIds: who may do everything, whatever the role.
	UserIDs []string
	// Roles is adminRoles: those that nobody may impersonate; nil: admin.
	Roles []string
	// ImpersonateAdmins is allowImpersonatingAdmins.
	ImpersonateAdmins bool
	// ImpersonationLifetime is impersonationSessionDuration; zero: one hour.
	ImpersonationLifetime time.Duration
}

// Users are a store's users with the columns of the plugin. It is safe for concurrent use where the store is.
type Users struct {
	store   *authdb.Store
	options Options
	columns *authdb.Columns[columns]
}

type columns struct {
	Role       *string
	Banned     *bool
	BanReason  *string
	BanExpires *time.Time
}

// User is a user with the columns of the plugin.
type User struct {
	authdb.User
	Role       string     `json:"role"`       // one or several, by commas; empty: the default role
	Banned     bool       `json:"banned"`     // and the ban is not over
	BanReason  string     `json:"banReason"`  // empty if none is given
	BanExpires *time.Time `json:"banExpires"` // nil if it does not end
}

// New returns the users of a store: once, when the program starts. It returns [authdb.ErrSchema] where the database
// lacks a column of the plugin, and [authdb.ErrInvalidInput].
func New(ctx context.Context, store *authdb.Store, o Options) (*Users, error) {
	const op = "admin.New"
	if err := bridge.Check(op, bridge.Duration("impersonation_lifetime", o.ImpersonationLifetime)); err != nil {
		return nil, err
	}
	o.Rules.Platform = true
	o.Rules.DefaultRole = cmp.Or(o.Rules.DefaultRole, "user")
	o.ImpersonationLifetime = cmp.Or(o.ImpersonationLifetime, time.Hour)
	if o.Roles == nil {
		o.Roles = []string{"admin"}
	}
	if err := bridge.Repo(store).CheckSchema(ctx, repo.AdminPlugin); err != nil {
		return nil, bridge.Error(op, err, nil)
	}
	c, err := authdb.NewColumns[columns](ctx, store, "user")
	if err != nil {
		return nil, err
	}
	return &Users{store, o, c}, nil
}

// On returns the users on another store, such as that of a transaction.
func (u *Users) On(store *authdb.Store) *Users {
	on := *u
	on.store = store
	return &on
}

// BanParams say whom to ban.
type BanParams struct {
	UserID  string
	By      string    // who acts, by id; empty: nobody is asked for a right to it
	Reason  string    // empty: the server's "No reason"
	Expires time.Time // until when; zero: for good
}

// Ban bans a user and ends all its sessions, which it returns. A sign-in that is under way is waited for. Of a user who
// is banned already, reason and end are replaced, as from 1.7 on. It returns [authdb.ErrNotFound],
// [authdb.ErrNotPermitted] if By is the user, is banned or lacks the permission user:ban, or [authdb.ErrInvalidInput].
//
// Sessions by which the user acts as others stay; on a store of [authdb.WithPlugins] with RefuseBanned they open
// nothing.
func (u *Users) Ban(ctx context.Context, p BanParams) ([]authdb.Session, error) {
	const op = "admin.Ban"
	if err := bridge.Check(op, bridge.Key("user_id", p.UserID), bridge.Text("by", p.By, maxRole),
		bridge.Text("reason", p.Reason, maxReason), bridge.Instant("expires", p.Expires)); err != nil {
		return nil, err
	}
	a := u.administer(p.UserID, p.By, "ban")
	a.Banned, a.BanReason = new(true), new(cmp.Or(p.Reason, "No reason"))
	if !p.Expires.IsZero() {
		a.BanExpires = &p.Expires
	}
	ended, err := bridge.Repo(u.store).AdministerUser(ctx, op, a)
	if err != nil {
		return nil, bridge.Error(op, err, nil)
	}
	sessions := make([]authdb.Session, len(ended))
	for i, row := range ended {
		sessions[i] = authdb.Session(row)
	}
	return sessions, nil
}

// UnbanParams say whom to ban no longer.
type UnbanParams struct {
	UserID string
	By     string // who acts, by id; empty: nobody is asked for a right to it
}

// Unban ends a ban; that there is none is no error. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted] if By
// is banned or lacks the permission user:ban, or [authdb.ErrInvalidInput].
func (u *Users) Unban(ctx context.Context, p UnbanParams) error {
	const op = "admin.Unban"
	if err := bridge.Check(op, bridge.Key("user_id", p.UserID), bridge.Text("by", p.By, maxRole)); err != nil {
		return err
	}
	a := u.administer(p.UserID, p.By, "ban")
	a.Banned = new(false)
	_, err := bridge.Repo(u.store).AdministerUser(ctx, op, a)
	return bridge.Error(op, err, nil)
}

// SetRoleParams say which roles a user gets.
type SetRoleParams struct {
	UserID string
	By     string // who acts, by id; empty: nobody is asked for a right to it
	Roles  []string
}

// SetRole gives a user these roles in place of those before. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted]
// if By is banned or lacks the permission user:set-role, or [authdb.ErrInvalidInput] for no role, one with a comma or
// blanks around it, which the server would not find, and one that is not among the Rules' Roles, if those are given.
func (u *Users) SetRole(ctx context.Context, p SetRoleParams) error {
	const op = "admin.SetRole"
	role := strings.Join(p.Roles, ",")
	faults := []bridge.Fault{
		bridge.Key("user_id", p.UserID), bridge.Text("by", p.By, maxRole), bridge.Required("roles", role, maxRole),
	}
	for _, r := range p.Roles {
		_, known := u.options.Rules.Roles[r]
		if r == "" || strings.Contains(r, ",") || strings.TrimSpace(r) != r || u.options.Rules.Roles != nil && !known {
			faults = append(faults, bridge.Fault{Field: "roles", Reason: "not a role"})
		}
	}
	if err := bridge.Check(op, faults...); err != nil {
		return err
	}
	a := u.administer(p.UserID, p.By, "set-role")
	a.Role = &role
	_, err := bridge.Repo(u.store).AdministerUser(ctx, op, a)
	return bridge.Error(op, err, nil)
}

// administer is a change of a user by another, whom an action must be permitted to.
func (u *Users) administer(userID, by, action string) admindb.AdministerUserParams {
	return admindb.AdministerUserParams{
		ID: userID, ActorID: by, Trusted: by == "" || slices.Contains(u.options.UserIDs, by),
		DefaultRole: u.options.Rules.DefaultRole, Permitted: u.permitted(action),
	}
}

// permitted are the roles to which an action on users is.
func (u *Users) permitted(action string) []string {
	return append([]string{}, u.options.Rules.Granting(permission.Set{"user": {action}})...)
}

// Get returns a user, [authdb.ErrNotFound] or [authdb.ErrInvalidInput].
func (u *Users) Get(ctx context.Context, userID string) (User, error) {
	ctx = u.columns.Read(ctx)
	row, err := u.store.Users.Get(ctx, userID)
	if err != nil {
		return User{}, err
	}
	return u.with(ctx, row), nil
}

// List is Users.List of the store.
func (u *Users) List(ctx context.Context, p authdb.ListUsersParams) (authdb.Page[User], error) {
	ctx = u.columns.Read(ctx)
	page, err := u.store.Users.List(ctx, p)
	if err != nil {
		return authdb.Page[User]{}, err
	}
	return authdb.Page[User]{Items: u.each(ctx, page.Items), Next: page.Next}, nil
}

// Search is Users.Search of the store.
func (u *Users) Search(ctx context.Context, p authdb.SearchUsersParams) ([]User, error) {
	ctx = u.columns.Read(ctx)
	found, err := u.store.Users.Search(ctx, p)
	if err != nil {
		return nil, err
	}
	return u.each(ctx, found), nil
}

func (u *Users) each(ctx context.Context, rows []authdb.User) []User {
	users := make([]User, len(rows))
	for i, row := range rows {
		users[i] = u.with(ctx, row)
	}
	return users
}

// with adds the columns that ctx has brought to a row.
func (u *Users) with(ctx context.Context, row authdb.User) User {
	c, _ := u.columns.Of(ctx, row.ID)
	user := User{User: row, BanExpires: c.BanExpires}
	if c.Role != nil {
		user.Role = *c.Role
	}
	if c.BanReason != nil {
		user.BanReason = *c.BanReason
	}
	user.Banned = c.Banned != nil && *c.Banned && (c.BanExpires == nil || !c.BanExpires.Before(bridge.Repo(u.store).Now()))
	return user
}

// ImpersonateParams say who acts as whom.
type ImpersonateParams struct {
	UserID    string
	By        string // who acts, by id
	IPAddress string // empty if not known; at most 255 characters
	UserAgent string // empty if not known; at most 1,024 characters
}

// Impersonate returns a new session of a user by which another acts, for an hour, unless Options say otherwise; it is
// never prolonged. The session of who acts stays: the browser keeps its token in the cookie that
// betterauth.Cookies.AdminSessionCookie makes. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted] if By is
// banned or lacks the permission user:impersonate, or the user is an administrator, [authdb.ErrBanned] if the user is
// banned, or [authdb.ErrInvalidInput].
func (u *Users) Impersonate(ctx context.Context, p ImpersonateParams) (authdb.Session, error) {
	const op = "admin.Impersonate"
	if err := bridge.Check(op, bridge.Key("user_id", p.UserID), bridge.Key("by", p.By),
		bridge.Text("ip_address", p.IPAddress, 255), bridge.Text("user_agent", p.UserAgent, 1024)); err != nil {
		return authdb.Session{}, err
	}
	if slices.Contains(u.options.UserIDs, p.UserID) && !u.options.ImpersonateAdmins {
		return authdb.Session{}, bridge.Error(op, repo.RefusalError("not permitted"), nil)
	}
	admins := u.options.Roles
	if u.options.ImpersonateAdmins {
		admins = []string{}
	}
	row, err := bridge.Repo(u.store).Impersonate(ctx, op, admindb.ImpersonateParams{
		UserID: p.UserID, ActorID: p.By, Trusted: slices.Contains(u.options.UserIDs, p.By),
		DefaultRole: u.options.Rules.DefaultRole, Permitted: u.permitted("impersonate"), AdminRoles: admins,
		IPAddress: &p.IPAddress, UserAgent: &p.UserAgent,
	}, u.options.ImpersonationLifetime)
	if err != nil {
		return authdb.Session{}, bridge.Error(op, err, nil)
	}
	return authdb.Session(row), nil
}

// StopParams say which session ends, and whose it was.
type StopParams struct {
	Token      authdb.Secret // of the session of [Users.Impersonate]
	AdminToken authdb.Secret // of the session of who acts, as betterauth.Cookies.AdminSession has it
}

// StopImpersonating ends the session of [Users.Impersonate] and returns that of who acts. It returns
// [authdb.ErrNotFound] if the one is not of the other's making, or that is not live: then nothing ends.
func (u *Users) StopImpersonating(ctx context.Context, p StopParams) (authdb.Session, error) {
	const op = "admin.StopImpersonating"
	if err := bridge.Check(op, bridge.Key("token", string(p.Token)),
		bridge.Key("admin_token", string(p.AdminToken))); err != nil {
		return authdb.Session{}, err
	}
	own, err := bridge.Repo(u.store).StopImpersonating(ctx, op, admindb.StopImpersonatingParams{
		Token: string(p.Token), OwnToken: string(p.AdminToken),
	})
	if err != nil {
		return authdb.Session{}, bridge.Error(op, err, nil)
	}
	return authdb.Session(own), nil
}
