// Package admin does what Better Auth's admin plugin does (measured on 1.3.34, 1.4.22, 1.5.6, 1.6.34 and 1.7.25): it
// bans and unbans users, sets their roles, and makes sessions by which an administrator acts as a user. The application
// makes the columns; authdb has no migration for them.
//
//	users, err := admin.New(ctx, store, admin.Options{}) // when the program starts
//	ended, err := users.Ban(ctx, admin.BanParams{UserID: id, By: who.User.ID, Reason: "spam"})
//
// Without this package, too, authdb lets no banned user sign in, and authdb.WithPlugins returns role and ban with each
// request. To end a user's sessions, call Sessions.DeleteByUser; to remove a user, Users.Delete.
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

// Options are the plugin's. The zero value has its defaults.
type Options struct {
	// Rules are the plugin's roles, default role and version; Platform is implied.
	Rules permission.Rules
	// UserIDs is adminUserIds: users who may do everything, whatever their role.
	UserIDs []string
	// Roles is adminRoles: users with one of these cannot be impersonated; nil: admin.
	Roles []string
	// ImpersonateAdmins is allowImpersonatingAdmins.
	ImpersonateAdmins bool
	// ImpersonationLifetime is impersonationSessionDuration; zero: one hour.
	ImpersonationLifetime time.Duration
}

// Users are a store's users with the columns of the plugin. It is safe for concurrent use if the store is.
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
	Role       string     `json:"role"`       // one or more, separated by commas; empty: the default role
	Banned     bool       `json:"banned"`     // now: an expired ban does not count
	BanReason  string     `json:"banReason"`  // empty if none is given
	BanExpires *time.Time `json:"banExpires"` // the end of the ban; nil if it has none
}

// New returns the users of a store. Call it once, when the program starts. It returns [authdb.ErrSchema] if the
// database lacks a column of the plugin, or [authdb.ErrInvalidInput].
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

// BanParams describe a ban.
type BanParams struct {
	UserID  string
	By      string    // id of the administrator; empty: no permission is checked
	Reason  string    // empty: the server's "No reason"
	Expires time.Time // zero: never
}

// Ban bans a user, ends all its sessions and returns these. It waits for a sign-in that is under way. If the user is
// banned already, it replaces reason and end, as the server does from 1.7 on. It returns [authdb.ErrNotFound],
// [authdb.ErrNotPermitted] if By is the user, is banned or lacks the permission user:ban, or [authdb.ErrInvalidInput].
//
// Sessions by which the user impersonates others stay; a store [authdb.WithPlugins] with RefuseBanned refuses them.
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

// UnbanParams name a user whose ban to end.
type UnbanParams struct {
	UserID string
	By     string // id of the administrator; empty: no permission is checked
}

// Unban ends a ban, if there is one. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted] if By is banned or lacks
// the permission user:ban, or [authdb.ErrInvalidInput].
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

// SetRoleParams name a user and its new roles.
type SetRoleParams struct {
	UserID string
	By     string // id of the administrator; empty: no permission is checked
	Roles  []string
}

// SetRole replaces a user's roles. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted] if By is banned or lacks
// the permission user:set-role, or [authdb.ErrInvalidInput] for no role, for one that is not among the Rules' Roles, if
// those are given, and for one with a comma or with blanks around it, which the server would not find.
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

// administer returns the parameters of a change that needs a permission of the administrator by.
func (u *Users) administer(userID, by, action string) admindb.AdministerUserParams {
	return admindb.AdministerUserParams{
		ID: userID, ActorID: by, Trusted: by == "" || slices.Contains(u.options.UserIDs, by),
		DefaultRole: u.options.Rules.DefaultRole, Permitted: u.permitted(action),
	}
}

// permitted returns the roles that may do an action on users.
func (u *Users) permitted(action string) []string {
	return append([]string{}, u.options.Rules.Granting(permission.Set{"user": {action}})...)
}

// Get returns a user. It returns [authdb.ErrNotFound] or [authdb.ErrInvalidInput].
func (u *Users) Get(ctx context.Context, userID string) (User, error) {
	ctx = u.columns.Read(ctx)
	row, err := u.store.Users.Get(ctx, userID)
	if err != nil {
		return User{}, err
	}
	return u.with(ctx, row), nil
}

// List is the store's Users.List.
func (u *Users) List(ctx context.Context, p authdb.ListUsersParams) (authdb.Page[User], error) {
	ctx = u.columns.Read(ctx)
	page, err := u.store.Users.List(ctx, p)
	if err != nil {
		return authdb.Page[User]{}, err
	}
	return authdb.Page[User]{Items: u.each(ctx, page.Items), Next: page.Next}, nil
}

// Search is the store's Users.Search.
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

// with adds the columns that were read under ctx to a row.
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

// ImpersonateParams say who acts as which user.
type ImpersonateParams struct {
	UserID    string
	By        string // id of the administrator
	IPAddress string // empty if not known; at most 255 characters
	UserAgent string // empty if not known; at most 1,024 characters
}

// Impersonate returns a new session of a user by which an administrator acts. It lives for an hour, unless Options say
// otherwise, and is never prolonged. The administrator's own session stays: the browser keeps its token in the cookie
// of betterauth.Cookies.AdminSessionCookie. It returns [authdb.ErrNotFound], [authdb.ErrNotPermitted] if By is banned
// or lacks the permission user:impersonate, or if the user is an administrator, [authdb.ErrBanned] if the user is
// banned, or [authdb.ErrInvalidInput].
//
// Nobody should act by who is acted as: call it for no session that has an ImpersonatedBy. Its By would be that user,
// and a ban of who really acts would not end what it makes.
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

// StopParams name the session that ends, and the administrator's.
type StopParams struct {
	Token      authdb.Secret // of the session of [Users.Impersonate]
	AdminToken authdb.Secret // of the administrator's own, from betterauth.Cookies.AdminSession
}

// StopImpersonating ends the session of [Users.Impersonate] and returns the administrator's own. If the administrator
// did not make that session, or the own one is not live, nothing ends and it returns [authdb.ErrNotFound].
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
