package admin_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
)

var schema = authdbtest.WithSchema(plugins.Admin)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, o admin.Options) (*authdb.Store, *admin.Users) {
	t.Helper()
	store := schema.New(t, authdb.WithClock(func() time.Time { return now }))
	users, err := admin.New(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return store, users
}

func exec(t *testing.T, store *authdb.Store, sql string, args ...any) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// TestDeletedActors: who is deleted administers no more, by a right that goes by the id, or by a session as another.
func TestDeletedActors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, users := open(t, admin.Options{UserIDs: []string{"boss"}})
	boss := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.ID = "boss" })
	user := authdbtest.User(t, store).ID
	borrowed, err := users.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: boss.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: boss.ID}); err != nil {
		t.Fatal(err)
	}
	_, impersonated := users.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: boss.ID})
	_, banned := users.Ban(ctx, admin.BanParams{UserID: user, By: boss.ID})
	for what, err := range map[string]error{
		"acts as another": impersonated, "bans": banned, "unbans": users.Unban(ctx, admin.UnbanParams{UserID: user, By: boss.ID}),
		"sets roles": users.SetRole(ctx, admin.SetRoleParams{UserID: user, By: boss.ID, Roles: []string{"admin"}}),
	} {
		if !errors.Is(err, authdb.ErrNotPermitted) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, p := range []authdb.Plugins{{RefuseBanned: true}, {RefuseBanned: true, Admin: true}, {RefuseBanned: true, Admin: true, DynamicRoles: true}} {
		if p.DynamicRoles {
			exec(t, store, plugins.Tables)
		}
		at := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return now }), authdb.WithPlugins(p))
		if _, err := at.Sessions.Authenticate(ctx, borrowed.Token); !errors.Is(err, authdb.ErrBanned) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestBanVectors: who is barred, and what is left of a ban, is as on the servers.
func TestBanVectors(t *testing.T) {
	t.Parallel()
	store, _ := open(t, admin.Options{})
	content, err := os.ReadFile("testdata/bans.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Cases []struct {
			Name, Set  string
			SignIn     int
			Afterwards struct {
				Banned     *bool   `json:"banned"`
				BanReason  *string `json:"ban_reason"`
				BanExpires *string `json:"ban_expires"`
			}
		}
	}
	if err := json.Unmarshal(content, &vectors); err != nil || len(vectors.Cases) < 9 {
		t.Fatal(len(vectors.Cases), err)
	}
	for _, c := range vectors.Cases {
		for name, signIn := range map[string]func(userID string) error{
			"Create": func(userID string) error {
				_, err := store.Sessions.Create(t.Context(), authdb.CreateSessionParams{UserID: userID})
				return err
			},
			"CreateMany": func(userID string) error {
				_, err := store.Sessions.CreateMany(t.Context(), []authdb.CreateSessionParams{{UserID: userID}})
				return err
			},
		} {
			user := authdbtest.User(t, store)
			exec(t, store, `UPDATE "user" SET `+strings.ReplaceAll(c.Set, "now()", "'2026-06-01 12:00Z'::timestamptz")+` WHERE id = $1`, user.ID)
			if err := signIn(user.ID); (c.SignIn == 403) != errors.Is(err, authdb.ErrBanned) || c.SignIn == 200 && err != nil {
				t.Errorf("%s, %s: %v, but the server says %d", c.Name, name, err, c.SignIn)
			}
			got := c.Afterwards
			if err := store.Pool().QueryRow(t.Context(),
				`SELECT banned, ban_reason, CASE WHEN ban_expires IS NOT NULL THEN 'set' END FROM "user" WHERE id = $1`, user.ID).
				Scan(&got.Banned, &got.BanReason, &got.BanExpires); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Afterwards, got); diff != "" {
				t.Errorf("%s, %s (-server +here):\n%s", c.Name, name, diff)
			}
		}
	}
}

// TestSchema: what is missing is told at the start.
func TestSchema(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	var e *authdb.Error
	if _, err := admin.New(t.Context(), store, admin.Options{}); !errors.As(err, &e) || !errors.Is(err, authdb.ErrSchema) ||
		!strings.Contains(e.Reason, "no user.ban_expires, which the admin plugin has") ||
		!strings.Contains(e.Reason, "in the application's migrations") || strings.Contains(e.Reason, "migrate up") {
		t.Errorf("without the columns: %v", err)
	}
	exec(t, store, plugins.Admin+`ALTER TABLE "user" ALTER ban_expires TYPE text`)
	if _, err := admin.New(t.Context(), store, admin.Options{}); !errors.As(err, &e) || !errors.Is(err, authdb.ErrSchema) ||
		!strings.HasPrefix(e.Reason, "user.ban_expires is text, not timestamp without time zone.") {
		t.Errorf("with another type: %v", err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	store, users := open(t, admin.Options{})
	ctx := t.Context()
	ada := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.Name = "Ada" })
	bob := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.Name = "Bob" })
	exec(t, store, `UPDATE "user" SET role = 'admin' WHERE id = $1`, ada.ID)
	exec(t, store, `UPDATE "user" SET banned = true, ban_reason = 'spam', ban_expires = '2026-06-01 12:00' WHERE id = $1`, bob.ID)
	want := []admin.User{{User: ada, Role: "admin"}, {User: bob, Banned: true, BanReason: "spam", BanExpires: new(now)}}

	page, err := users.List(ctx, authdb.ListUsersParams{})
	if byName := map[string]admin.User{}; err != nil || len(page.Items) != 2 {
		t.Errorf("List: %v, %v", page, err)
	} else {
		for _, u := range page.Items {
			byName[u.Name] = u
		}
		if diff := cmp.Diff(want, []admin.User{byName["Ada"], byName["Bob"]}); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
	}
	found, err := users.Search(ctx, authdb.SearchUsersParams{Prefix: "bo"})
	if diff := cmp.Diff(want[1:], found); err != nil || diff != "" {
		t.Errorf("Search: %v (-want +got):\n%s", err, diff)
	}
	// In a transaction, and with a ban that is over.
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		if _, err := tx.Tx().Exec(ctx, `UPDATE "user" SET ban_expires = '2026-06-01 11:59' WHERE id = $1`, bob.ID); err != nil {
			return err
		}
		got, err := users.On(tx).Get(ctx, bob.ID)
		want[1].Banned, want[1].BanExpires = false, new(now.Add(-time.Minute))
		if diff := cmp.Diff(want[1], got); err != nil || diff != "" {
			t.Errorf("Get: %v (-want +got):\n%s", err, diff)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := users.Get(ctx, "nobody"); !errors.Is(err, authdb.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
}

// TestInput: what cannot be stored, or would mean something else to the server, is refused with the name of the field.
func TestInput(t *testing.T) {
	t.Parallel()
	store, users := open(t, admin.Options{})
	_, strict := open(t, admin.Options{Rules: permission.Rules{Roles: permission.Roles{"boss": nil}}})
	ctx, user := t.Context(), authdbtest.User(t, store).ID
	setRole := func(u *admin.Users, roles ...string) error {
		return u.SetRole(ctx, admin.SetRoleParams{UserID: user, Roles: roles})
	}
	ban := func(p admin.BanParams) error {
		_, err := users.Ban(ctx, p)
		return err
	}
	impersonate := func(p admin.ImpersonateParams) error {
		_, err := users.Impersonate(ctx, p)
		return err
	}
	_, stop := users.StopImpersonating(ctx, admin.StopParams{Token: "a", AdminToken: "\x00"})
	_, lifetime := admin.New(ctx, store, admin.Options{ImpersonationLifetime: -1})
	for _, c := range []struct {
		field string
		err   error
	}{
		{"roles", setRole(users)},
		{"roles", setRole(users, "")},
		{"roles", setRole(users, "admin", "")},
		{"roles", setRole(users, "user,admin")},
		{"roles", setRole(users, " admin")},
		{"roles", setRole(users, "a\x00")},
		{"roles", setRole(strict, "admin")},
		{"roles", setRole(users, strings.Repeat("x", 1025))},
		{"user_id", users.SetRole(ctx, admin.SetRoleParams{Roles: []string{"user"}})},
		{"by", users.SetRole(ctx, admin.SetRoleParams{UserID: user, By: "\x00", Roles: []string{"user"}})},
		{"user_id", ban(admin.BanParams{})},
		{"reason", ban(admin.BanParams{UserID: user, Reason: "\xff"})},
		{"by", ban(admin.BanParams{UserID: user, By: "\x00"})},
		{"expires", ban(admin.BanParams{UserID: user, Expires: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})},
		{"user_id", users.Unban(ctx, admin.UnbanParams{})},
		{"by", users.Unban(ctx, admin.UnbanParams{UserID: user, By: "\x00"})},
		{"by", impersonate(admin.ImpersonateParams{UserID: user})},
		{"user_id", impersonate(admin.ImpersonateParams{By: user})},
		{"ip_address", impersonate(admin.ImpersonateParams{UserID: user, By: user, IPAddress: "\x00"})},
		{"user_agent", impersonate(admin.ImpersonateParams{UserID: user, By: user, UserAgent: "\x00"})},
		{"admin_token", stop},
		{"impersonation_lifetime", lifetime},
	} {
		if e, ok := errors.AsType[*authdb.Error](c.err); !ok || !errors.Is(c.err, authdb.ErrInvalidInput) || e.Field != c.field {
			t.Errorf("%s: %v", c.field, c.err)
		}
	}
	if err := setRole(strict, "boss"); !errors.Is(err, authdb.ErrNotFound) { // a user of the other store
		t.Error(err)
	}
}

// TestOnce: a second call under a key answers as the first, or says that its answer is gone.
func TestOnce(t *testing.T) {
	t.Parallel()
	store, users := open(t, admin.Options{})
	user, boss := authdbtest.User(t, store).ID, authdbtest.User(t, store).ID
	exec(t, store, `UPDATE "user" SET role = 'admin' WHERE id = $1`, boss)
	ctx := authdb.Once(t.Context(), "impersonate")
	first, err := users.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	again, err := users.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: boss})
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("again: %v (-first +again):\n%s", err, diff)
	}
	ctx = authdb.Once(t.Context(), "ban")
	if _, err := users.Ban(ctx, admin.BanParams{UserID: user}); err != nil {
		t.Fatal(err)
	}
	if _, err := users.Ban(ctx, admin.BanParams{UserID: user}); !errors.Is(err, authdb.ErrAlreadyDone) {
		t.Errorf("again: %v", err)
	}
}

// TestBannedActors: what was let in before the ban does nothing after it, and nobody ends his own ban.
func TestBannedActors(t *testing.T) {
	t.Parallel()
	store, users := open(t, admin.Options{UserIDs: []string{"boss"}})
	ctx := t.Context()
	user := authdbtest.User(t, store).ID
	for _, banned := range []string{
		authdbtest.User(t, store).ID,
		authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.ID = "boss" }).ID,
	} {
		exec(t, store, `UPDATE "user" SET role = 'admin' WHERE id = $1`, banned)
		does := func() []error {
			_, ban := users.Ban(ctx, admin.BanParams{UserID: user, By: banned})
			other := users.Unban(ctx, admin.UnbanParams{UserID: user, By: banned})
			own := users.Unban(ctx, admin.UnbanParams{UserID: banned, By: banned})
			role := users.SetRole(ctx, admin.SetRoleParams{UserID: user, By: banned, Roles: []string{"user"}})
			_, acts := users.Impersonate(ctx, admin.ImpersonateParams{UserID: user, By: banned})
			return []error{ban, other, own, role, acts}
		}
		for _, tt := range []struct {
			expires time.Time
			want    error
		}{
			{time.Time{}, authdb.ErrNotPermitted}, {now.Add(time.Hour), authdb.ErrNotPermitted}, {now.Add(-time.Hour), nil},
		} {
			if _, err := users.Ban(ctx, admin.BanParams{UserID: banned, Expires: tt.expires}); err != nil {
				t.Fatal(err)
			}
			for i, err := range does() {
				if !errors.Is(err, tt.want) {
					t.Errorf("%s, banned until %v, %d: %v, want %v", banned, tt.expires, i, err, tt.want)
				}
			}
		}
	}
}
