package apikey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
	"github.com/zerostarter/authdb/signin"
)

func ExampleKeys() {
	use := func(ctx context.Context, store *authdb.Store, userID string) error {
		keys, err := apikey.New(ctx, store, apikey.Options{Prefix: "acme_"})
		if err != nil {
			return err // authdb.ErrSchema: what the table lacks
		}
		made, err := keys.Create(ctx, apikey.CreateParams{
			OwnerID: userID, Name: "laptop", Permissions: permission.Set{"files": {"read"}},
			Remaining: new(1000), Refill: &apikey.Refill{Amount: 1000, Interval: 24 * time.Hour},
		})
		if err != nil {
			return err
		}
		_, err = keys.Verify(ctx, made.Secret, permission.Set{"files": {"read"}})
		if limited, ok := errors.AsType[*apikey.RateLimitError](err); ok {
			return fmt.Errorf("come back in %v", limited.RetryAfter)
		}
		return err // apikey.ErrInvalidKey, ErrDisabled, ErrExpired, ErrNotPermitted, ErrUsageExceeded
	}
	_ = use
	// Output:
}

// TestNew: what the table lacks is one error at the start, and no statement makes it.
func TestNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema *authdbtest.Schema
		change string
		want   []string
	}{
		"no table": {authdbtest.WithSchema(plugins.TwoFactor), ``, []string{"no table apikey, which the API key plugin has"}},
		"columns of 1.5": {layouts["from 1.5 on"], `ALTER TABLE apikey DROP COLUMN config_id, DROP COLUMN metadata`, []string{
			"no apikey.config_id, which the API key plugin has", "no apikey.metadata, which the API key plugin has",
		}},
		"another type": {layouts["from 1.5 on"], `ALTER TABLE apikey ALTER COLUMN remaining TYPE text`, []string{"apikey.remaining is text, not integer"}},
		"neither owner": {layouts["from 1.5 on"], `ALTER TABLE apikey DROP COLUMN reference_id`, []string{
			"no apikey.user_id, which the API key plugin before 1.5 has",
		}},
		"columns before 1.5": {layouts["before 1.5"], `ALTER TABLE apikey DROP COLUMN start`, []string{
			"no apikey.start, which the API key plugin before 1.5 has",
		}},
	} {
		store := c.schema.New(t)
		if _, err := store.Pool().Exec(t.Context(), c.change); err != nil {
			t.Fatal(err)
		}
		_, err := apikey.New(t.Context(), store, apikey.Options{})
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok || !errors.Is(err, authdb.ErrSchema) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(e.Reason, want) {
				t.Errorf("%s: %s, want %s", name, e.Reason, want)
			}
		}
		if n := strings.Count(e.Reason, "no "); n > len(c.want) && name != "neither owner" {
			t.Errorf("%s: more than that: %s", name, e.Reason)
		}
	}
	for _, o := range []apikey.Options{
		{ConfigID: "a\x00b"},
		{Prefix: "a b"},
		{Prefix: strings.Repeat("a", 33)},
		{RateLimit: apikey.RateLimit{Max: 1}},
		{RateLimit: apikey.RateLimit{Max: -1, Window: time.Second}},
		{RateLimit: apikey.RateLimit{Max: 1, Window: time.Second + 1}},
	} {
		if _, err := apikey.New(t.Context(), layouts["from 1.5 on"].New(t), o); !errors.Is(err, authdb.ErrInvalidInput) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestKeys: all that can be done with a key, in both layouts.
func TestKeys(t *testing.T) {
	t.Parallel()
	for layout, schema := range layouts {
		ctx, clock := t.Context(), time.Date(2026, 6, 1, 12, 0, 0, 987654321, time.UTC)
		store := schema.New(t, authdb.WithClock(func() time.Time { return clock }))
		keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
		ann, bob := authdbtest.User(t, store).ID, authdbtest.User(t, store).ID
		is := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", layout, what, err, want)
			}
		}
		var made []apikey.Created
		for i := range 5 {
			clock = clock.Add(time.Second)
			made = append(made, must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: ann, Name: fmt.Sprint("key", i)})))
		}
		other := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: bob}))
		_, err := keys.Create(ctx, apikey.CreateParams{OwnerID: "nobody"})
		is("of nobody", err, authdb.ErrReference)
		_, err = keys.Create(ctx, apikey.CreateParams{OwnerID: ann, ID: made[0].ID})
		is("of a taken id", err, authdb.ErrConflict)

		got := must[apikey.Key](t)(keys.Get(ctx, ann, made[0].ID))
		if diff := cmp.Diff(made[0].Key, got); diff != "" {
			t.Errorf("%s: got (-made):\n%s", layout, diff)
		}
		if want := clock.Add(-4 * time.Second).Truncate(time.Millisecond); !got.CreatedAt.Equal(want) || got.ConfigID != "default" {
			t.Errorf("%s: %+v", layout, got)
		}
		_, err = keys.Get(ctx, bob, made[0].ID)
		is("get another's", err, authdb.ErrNotFound)

		names := func(newest bool) (all []string) {
			p := apikey.ListParams{OwnerID: ann, Newest: newest, Limit: 2}
			for {
				page := must[authdb.Page[apikey.Key]](t)(keys.List(ctx, p))
				for _, k := range page.Items {
					all = append(all, *k.Name)
				}
				if p.After = page.Next; p.After.IsZero() {
					return all
				}
			}
		}
		oldest := []string{"key0", "key1", "key2", "key3", "key4"}
		if got := names(false); !slices.Equal(got, oldest) {
			t.Errorf("%s: %v", layout, got)
		}
		slices.Reverse(oldest)
		if got := names(true); !slices.Equal(got, oldest) {
			t.Errorf("%s, newest: %v", layout, got)
		}
		if page := must[authdb.Page[apikey.Key]](t)(keys.List(ctx, apikey.ListParams{OwnerID: "nobody"})); page.Items == nil || len(page.Items) > 0 {
			t.Errorf("%s: %v", layout, page)
		}

		clock = clock.Add(time.Second)
		until := clock.Add(time.Hour)
		got = must[apikey.Key](t)(keys.Update(ctx, ann, made[1].ID, apikey.UpdateParams{
			Name: authdb.Set("other"), Enabled: authdb.Set(false), ExpiresAt: authdb.Set(until), Remaining: authdb.Set(7),
			Refill: authdb.Set(apikey.Refill{Amount: 8, Interval: time.Minute}), RateLimit: authdb.Set(apikey.RateLimit{Max: 3, Window: time.Second}),
			RateLimitEnabled: authdb.Set(false), Permissions: authdb.Set(permission.Set{"a": {"b"}}), Metadata: authdb.Set(`{"c":1}`),
		}))
		want := made[1].Key
		want.Name, want.Enabled, want.ExpiresAt, want.Remaining = new("other"), new(false), new(until.Truncate(time.Millisecond)), new(int32(7))
		want.RefillAmount, want.RefillInterval = new(int32(8)), new(int32(60_000))
		want.RateLimitMax, want.RateLimitTimeWindow, want.RateLimitEnabled = new(int32(3)), new(int32(1000)), new(false)
		want.Permissions, want.Metadata, want.UpdatedAt = new(`{"a":["b"]}`), new(`{"c":1}`), clock.Truncate(time.Millisecond)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: updated (-want):\n%s", layout, diff)
		}
		got = must[apikey.Key](t)(keys.Update(ctx, ann, made[1].ID, apikey.UpdateParams{}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: updated by nothing (-want):\n%s", layout, diff)
		}
		got = must[apikey.Key](t)(keys.Update(ctx, ann, made[1].ID, apikey.UpdateParams{
			Name: authdb.SetNull[string](), ExpiresAt: authdb.SetNull[time.Time](), Remaining: authdb.SetNull[int](),
			Refill: authdb.SetNull[apikey.Refill](), Permissions: authdb.SetNull[permission.Set](), Metadata: authdb.SetNull[string](),
		}))
		want.Name, want.ExpiresAt, want.Remaining, want.RefillAmount, want.RefillInterval, want.Permissions, want.Metadata = nil, nil, nil, nil, nil, nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: updated to nothing (-want):\n%s", layout, diff)
		}
		_, err = keys.Update(ctx, bob, made[1].ID, apikey.UpdateParams{Enabled: authdb.Set(true)})
		is("update another's", err, authdb.ErrNotFound)
		_, err = keys.Verify(ctx, made[1].Secret, nil)
		is("disabled", err, apikey.ErrDisabled)

		is("revoke another's", keys.Revoke(ctx, bob, made[2].ID), authdb.ErrNotFound)
		is("revoke", keys.Revoke(ctx, ann, made[2].ID), nil)
		is("revoke again", keys.Revoke(ctx, ann, made[2].ID), authdb.ErrNotFound)
		_, err = keys.Verify(ctx, made[2].Secret, nil)
		is("revoked", err, apikey.ErrInvalidKey)
		if n, err := keys.RevokeAll(ctx, ann); n != 4 || err != nil {
			t.Errorf("%s: %d, %v", layout, n, err)
		}
		_, err = keys.Verify(ctx, other.Secret, nil)
		is("another's is left", err, nil)

		undone := errors.New("undone")
		is("a transaction", store.InTx(ctx, func(tx *authdb.Store) error {
			made = append(made, must[apikey.Created](t)(keys.On(tx).Create(ctx, apikey.CreateParams{OwnerID: ann})))
			_, err := keys.On(tx).Verify(ctx, made[5].Secret, nil)
			is("in the transaction", err, nil)
			return undone
		}), undone)
		_, err = keys.Verify(ctx, made[5].Secret, nil)
		is("rolled back", err, apikey.ErrInvalidKey)

		once := authdb.Once(ctx, "a verify")
		_, err = keys.Verify(once, other.Secret, nil)
		is("once", err, nil)
		_, err = keys.Verify(once, other.Secret, nil)
		is("once more", err, authdb.ErrAlreadyDone)
		once = authdb.Once(ctx, "a key")
		_, err = keys.Create(once, apikey.CreateParams{OwnerID: ann})
		is("once", err, nil)
		_, err = keys.Create(once, apikey.CreateParams{OwnerID: ann})
		is("once more", err, authdb.ErrAlreadyDone)
	}
}

// TestRateLimit: a window begins anew after one without a request, to the millisecond, and says how long that is.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	ctx, clock := t.Context(), time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	store := layouts["from 1.5 on"].New(t, authdb.WithClock(func() time.Time { return clock }))
	keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{RateLimit: apikey.RateLimit{Max: 2, Window: time.Minute}}))
	made := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: authdbtest.User(t, store).ID}))
	for _, step := range []struct {
		after  time.Duration
		passes bool
		wait   time.Duration
	}{
		{0, true, 0},
		{59 * time.Second, true, 0},
		{0, false, time.Minute},
		{10*time.Second + time.Microsecond, false, 50 * time.Second},
		{50 * time.Second, false, 0}, // a window, not more
		{time.Millisecond, true, 0},
		{time.Minute, true, 0},
		{time.Minute, false, 0},
		{time.Minute, true, 0},
	} {
		clock = clock.Add(step.after)
		_, err := keys.Verify(ctx, made.Secret, nil)
		limited, ok := errors.AsType[*apikey.RateLimitError](err)
		if ok == step.passes || ok && (limited.RetryAfter != step.wait || !errors.Is(err, apikey.ErrRateLimited)) {
			t.Errorf("at %v: %v %+v, want %+v", clock, err, limited, step)
		}
	}
	off := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{NoRateLimit: true}))
	for range 5 {
		if _, err := off.Verify(ctx, made.Secret, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestConfigurations: the keys of a configuration are no others' where it is named.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := layouts["from 1.5 on"].New(t)
	of := func(o apikey.Options) *apikey.Keys { return must[*apikey.Keys](t)(apikey.New(ctx, store, o)) }
	all := map[string]*apikey.Keys{
		"any": of(apikey.Options{}), "default": of(apikey.Options{ConfigID: "default"}),
		"teams": of(apikey.Options{ConfigID: "teams", Organizations: true, Plain: true, Prefix: "team_"}),
	}
	org := authdbtest.Organization(t, store)
	user := authdbtest.User(t, store)
	made := map[string]apikey.Created{}
	for name, owner := range map[string]string{"any": user.ID, "default": user.ID, "teams": org.ID} {
		made[name] = must[apikey.Created](t)(all[name].Create(ctx, apikey.CreateParams{OwnerID: owner}))
		if want := strings.Replace(name, "any", "default", 1); made[name].ConfigID != want {
			t.Errorf("%s: %s", name, made[name].ConfigID)
		}
	}
	if _, err := all["teams"].Create(ctx, apikey.CreateParams{OwnerID: user.ID}); !errors.Is(err, authdb.ErrReference) {
		t.Errorf("a user for an organization: %v", err)
	}
	if _, err := all["any"].Create(ctx, apikey.CreateParams{OwnerID: org.ID}); !errors.Is(err, authdb.ErrReference) {
		t.Errorf("an organization for a user: %v", err)
	}
	if n := must[int64](t)(all["teams"].RevokeAll(ctx, user.ID)); n != 0 {
		t.Errorf("revoked %d of another configuration", n)
	}
	if got := rowOf(t, store, made["teams"].ID)["key"]; got != string(made["teams"].Secret) || !strings.HasPrefix(string(made["teams"].Secret), "team_") {
		t.Error("not stored plainly")
	}
	if _, err := store.Pool().Exec(ctx, `UPDATE apikey SET config_id = '' WHERE id = $1`, made["any"].ID); err != nil {
		t.Fatal(err)
	}
	plain := of(apikey.Options{Plain: true})
	for _, c := range []struct {
		keys  *apikey.Keys
		key   string
		known bool
	}{
		{all["any"], "any", true},
		{all["any"], "default", true},
		{all["default"], "any", true}, // empty is the default
		{all["default"], "default", true},
		{all["teams"], "teams", true},
		{plain, "teams", true},
		{all["any"], "teams", false}, // it looks for a hash
		{all["teams"], "default", false},
		{of(apikey.Options{ConfigID: "default", Plain: true}), "teams", false},
		{of(apikey.Options{ConfigID: "teams"}), "default", false},
	} {
		k := made[c.key]
		_, err := c.keys.Verify(ctx, k.Secret, nil)
		if c.known != (err == nil) || !c.known && !errors.Is(err, apikey.ErrInvalidKey) {
			t.Errorf("%s by %+v: %v", c.key, c.keys.Options, err)
		}
		if c.keys.ConfigID == "" || c.keys.Plain != (c.key == "teams") {
			continue
		}
		_, getErr := c.keys.Get(ctx, k.ReferenceID, k.ID)
		_, updateErr := c.keys.Update(ctx, k.ReferenceID, k.ID, apikey.UpdateParams{})
		page := must[authdb.Page[apikey.Key]](t)(c.keys.List(ctx, apikey.ListParams{OwnerID: k.ReferenceID}))
		newest := must[authdb.Page[apikey.Key]](t)(c.keys.List(ctx, apikey.ListParams{OwnerID: k.ReferenceID, Newest: true}))
		if c.known != (getErr == nil) || c.known != (updateErr == nil) || c.known != (len(page.Items) > 0) || c.known != (len(newest.Items) > 0) {
			t.Errorf("%s by %+v: %v, %v, %v", c.key, c.keys.Options, getErr, updateErr, page)
		}
		if !c.known {
			if err := c.keys.Revoke(ctx, k.ReferenceID, k.ID); !errors.Is(err, authdb.ErrNotFound) {
				t.Errorf("%s by %+v: %v", c.key, c.keys.Options, err)
			}
		}
	}
}

// TestDeletedOwners: their keys go with them, where the store is told of the plugin, or by the foreign key of 1.4.
func TestDeletedOwners(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for layout, schema := range layouts {
		for _, told := range []bool{true, false} {
			if told && layout == "before 1.5" {
				if err := schema.New(t, authdb.WithPlugins(authdb.Plugins{APIKeys: true})).CheckSchema(ctx); !errors.Is(err, authdb.ErrSchema) {
					t.Errorf("%s: %v", layout, err)
				}
				continue
			}
			store := schema.New(t, authdb.WithPlugins(authdb.Plugins{APIKeys: told}))
			if err := store.CheckSchema(ctx); err != nil {
				t.Error(err)
			}
			keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
			gone, stays := authdbtest.User(t, store).ID, authdbtest.User(t, store).ID
			org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = stays })
			ofGone := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: gone}))
			ofStays := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: stays}))
			var ofOrg apikey.Created
			if layout == "from 1.5 on" {
				teams := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{ConfigID: "teams", Organizations: true}))
				ofOrg = must[apikey.Created](t)(teams.Create(ctx, apikey.CreateParams{OwnerID: org.ID}))
			}
			if _, err := store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: gone}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: stays}); !errors.Is(err, authdb.ErrLastOwner) {
				t.Fatal(err)
			}
			left := !told && layout == "from 1.5 on"
			if _, err := keys.Verify(ctx, ofGone.Secret, nil); (err == nil) != left {
				t.Errorf("%s, told %v: %v", layout, told, err)
			}
			if _, err := keys.Verify(ctx, ofStays.Secret, nil); err != nil {
				t.Errorf("%s, told %v: of one who was not deleted: %v", layout, told, err)
			}
			if _, err := store.Organizations.Delete(ctx, org.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Verify(ctx, ofOrg.Secret, nil); (err == nil) != left {
				t.Errorf("%s, told %v: the organization's: %v", layout, told, err)
			}
		}
	}
}

// TestSquattersKeys: a key that was made before its owner's address was proved goes with accounts and sessions, where
// the store is told of the plugin.
func TestSquattersKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, told := range []bool{true, false} {
		store := layouts["from 1.5 on"].New(t, authdb.WithPlugins(authdb.Plugins{APIKeys: told}))
		keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
		for way, prove := range map[string]func(u authdb.User) error{
			"VerifyEmail": func(u authdb.User) error {
				_, err := store.Users.VerifyEmail(ctx, u.ID, authdb.VerifyEmailParams{Email: u.Email})
				return err
			},
			"signed in": func(u authdb.User) error {
				_, err := store.Users.VerifyEmail(ctx, u.ID, authdb.VerifyEmailParams{Email: u.Email, KeepAccess: true})
				return err
			},
			"1.7.25": bySignIn(ctx, store, betterauth.Version{1, 7, 25}), "1.6.34": bySignIn(ctx, store, betterauth.Version{1, 6, 34}),
			"1.5.6": bySignIn(ctx, store, betterauth.Version{1, 5, 6}),
		} {
			squat := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
			key := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: squat.ID}))
			if err := prove(squat); err != nil {
				t.Fatal(err)
			}
			stays := !told || way == "signed in" || way == "1.5.6"
			if _, err := keys.Verify(ctx, key.Secret, nil); stays && err != nil || !stays && !errors.Is(err, apikey.ErrInvalidKey) {
				t.Errorf("%s, told %v: %v", way, told, err)
			}
		}
	}
}

// bySignIn proves an address by a link.
func bySignIn(ctx context.Context, store *authdb.Store, version betterauth.Version) func(u authdb.User) error {
	return func(u authdb.User) error {
		var token authdb.Secret
		flows := &signin.Flows{Store: store, Version: version, Send: func(_ context.Context, m signin.Mail) error {
			token = m.Token
			return nil
		}}
		if err := flows.SendLink(ctx, signin.SendLinkParams{Email: u.Email}); err != nil {
			return err
		}
		_, err := flows.SignInByLink(ctx, signin.LinkParams{Token: token})
		return err
	}
}

// TestDeletedMeanwhile: a key is not made for a user who is being deleted.
// TestRemovedOnce: a key that is good for nothing any more is removed under a key of Once, too, and the second call is
// told the same.
func TestRemovedOnce(t *testing.T) {
	t.Parallel()
	store := layouts["from 1.5 on"].New(t)
	ctx := t.Context()
	keys, err := apikey.New(ctx, store, apikey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	owner := authdbtest.User(t, store).ID
	for sql, want := range map[string]error{
		"expires_at = '2020-01-01'":                  apikey.ErrExpired,
		"remaining = 0, refill_amount = NULL":        apikey.ErrUsageExceeded,
		"enabled = false /* which removes no row */": apikey.ErrDisabled,
	} {
		made, err := keys.Create(ctx, apikey.CreateParams{OwnerID: owner})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Pool().Exec(ctx, "UPDATE apikey SET "+sql+" WHERE id = $1", made.ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := keys.Verify(authdb.Once(ctx, sql), made.Secret, nil); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", sql, err, want)
			}
		}
		_, err = keys.Get(ctx, owner, made.ID)
		if removed := errors.Is(err, authdb.ErrNotFound); removed != !errors.Is(want, apikey.ErrDisabled) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := layouts["from 1.5 on"].New(t, authdb.WithPlugins(authdb.Plugins{APIKeys: true}))
	keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
	user := authdbtest.User(t, store).ID
	done := make(chan error, 1)
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		if _, err := tx.Users.Delete(ctx, authdb.DeleteUserParams{UserID: user}); err != nil {
			return err
		}
		go func() {
			_, err := keys.Create(ctx, apikey.CreateParams{OwnerID: user})
			done <- err
		}()
		waitFor(t, store, 1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, authdb.ErrReference) {
		t.Error(err)
	}
}

// TestHostile: what no key and no row can be is refused, and no error shows any of it.
func TestHostile(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const canary = "zq7canary"
	for layout, schema := range layouts {
		store := schema.New(t)
		keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
		plain := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{Plain: true}))
		user := authdbtest.User(t, store).ID
		is := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s, %.50q: %v, want %v", layout, what, err, want)
			}
			for _, verb := range []string{"%v", "%+v", "%#v"} {
				if strings.Contains(fmt.Sprintf(verb, err), canary) {
					t.Errorf("%s, %.50q: shown by %s", layout, what, verb)
				}
			}
		}
		for _, key := range []string{
			"", canary, canary + "\x00", canary + "\xff", strings.Repeat(canary, 100), "'; DROP TABLE apikey; --", "null", strings.Repeat("é", 512),
		} {
			for _, k := range []*apikey.Keys{keys, plain} {
				_, err := k.Verify(ctx, authdb.Secret(key), nil)
				is(key, err, apikey.ErrInvalidKey)
			}
		}
		for _, id := range []string{"", canary + "\x00", canary + "\xff", strings.Repeat(canary, 400)} {
			_, err := keys.Get(ctx, user, id)
			is(id, err, authdb.ErrNotFound)
			is(id, err, authdb.ErrInvalidInput)
			_, err = keys.Get(ctx, id, "id")
			is(id, err, authdb.ErrNotFound)
			_, err = keys.Update(ctx, id, "id", apikey.UpdateParams{})
			is(id, err, authdb.ErrNotFound)
			_, err = keys.Update(ctx, user, id, apikey.UpdateParams{})
			is(id, err, authdb.ErrNotFound)
			is(id, keys.Revoke(ctx, id, "id"), authdb.ErrNotFound)
			is(id, keys.Revoke(ctx, user, id), authdb.ErrNotFound)
			_, err = keys.RevokeAll(ctx, id)
			is(id, err, authdb.ErrInvalidInput)
			_, err = keys.List(ctx, apikey.ListParams{OwnerID: id})
			is(id, err, authdb.ErrInvalidInput)
			_, err = keys.List(ctx, apikey.ListParams{OwnerID: user, After: authdb.CursorAt(time.Now(), canary+"\x00")})
			is(id, err, authdb.ErrInvalidInput)
			_, err = keys.Create(ctx, apikey.CreateParams{OwnerID: id})
			is(id, err, authdb.ErrInvalidInput)
		}
		for _, limit := range []int{-1, authdb.MaxLimit + 1} {
			_, err := keys.List(ctx, apikey.ListParams{OwnerID: user, Limit: limit})
			is("limit", err, authdb.ErrInvalidInput)
		}
		long := strings.Repeat("x", 70_000)
		for what, p := range map[string]apikey.CreateParams{
			"id": {ID: canary + "\x00"}, "name": {Name: canary + "\xff"}, "long name": {Name: long}, "prefix": {Prefix: canary + "!"},
			"prefix with a line": {Prefix: "a\n"}, "year": {ExpiresAt: new(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))},
			"remaining": {Remaining: new(-1)}, "too many": {Remaining: new(1 << 31)},
			"refill": {Refill: &apikey.Refill{Amount: 1}}, "no amount": {Refill: &apikey.Refill{Interval: time.Second}},
			"long refill": {Refill: &apikey.Refill{Amount: 1, Interval: 25 * 24 * time.Hour}},
			"rate":        {RateLimit: &apikey.RateLimit{Max: 1, Window: time.Microsecond}},
			"permissions": {Permissions: permission.Set{canary: {"\x00"}}}, "resource": {Permissions: permission.Set{canary + "\xff": {"a"}}},
			"many permissions": {Permissions: permission.Set{canary: {long}}}, "metadata": {Metadata: new("{" + canary)},
			"long metadata": {Metadata: new(`"` + long + `"`)},
		} {
			p.OwnerID = user
			_, err := keys.Create(ctx, p)
			is(what, err, authdb.ErrInvalidInput)
		}
		for what, p := range map[string]apikey.UpdateParams{
			"name": {Name: authdb.Set(canary + "\x00")}, "enabled": {Enabled: authdb.SetNull[bool]()}, "remaining": {Remaining: authdb.Set(-1)},
			"refill": {Refill: authdb.Set(apikey.Refill{})}, "rate": {RateLimit: authdb.Set(apikey.RateLimit{})},
			"rate null": {RateLimit: authdb.SetNull[apikey.RateLimit]()}, "limited": {RateLimitEnabled: authdb.SetNull[bool]()},
			"permissions": {Permissions: authdb.Set(permission.Set{"\x00": nil})}, "metadata": {Metadata: authdb.Set("")},
			"year": {ExpiresAt: authdb.Set(time.Time{}.AddDate(-5, 0, 0))},
		} {
			_, err := keys.Update(ctx, user, "id", p)
			is(what, err, authdb.ErrInvalidInput)
		}

		made := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: user, NoRateLimit: true, Permissions: permission.Set{"files": {"read"}}}))
		for what, wanted := range map[string]permission.Set{
			"nothing": {}, "no action": {"files": {}}, "no list": {"files": nil}, "NUL": {"files": {"\x00"}}, "not UTF-8": {"files": {"\xff"}},
			"another": {"files": {"read", "write"}}, "a part": {"files": {"rea"}}, "a member of objects": {"constructor": {"name"}},
			"case": {"Files": {"read"}}, "one of two": {"files": {"read"}, "other": {"read"}},
		} {
			_, err := keys.Verify(ctx, made.Secret, wanted)
			is(what, err, apikey.ErrNotPermitted)
			if made.Permits(wanted) {
				t.Errorf("%s: permitted", what)
			}
		}
		for _, stored := range []string{
			``, `nonsense` + canary, `null`, `[]`, `"files"`, `{"files":"read"}`, `{"files":{"read":true}}`, `{"files":[["read"]]}`, `{"files":null}`,
			`"{\"files\":[\"read\"]}"`, `{"files":["\u0000read"]}`, `{"files":["\ud800"]}`, `{"files":["read"]`, `[{"files":["read"]}]`,
			`{"files":["read"],"n":1e999999}`,
		} {
			if _, err := store.Pool().Exec(ctx, `UPDATE apikey SET permissions = $2 WHERE id = $1`, made.ID, stored); err != nil {
				t.Fatal(err)
			}
			_, err := keys.Verify(ctx, made.Secret, permission.Set{"files": {"read"}})
			is(stored, err, apikey.ErrNotPermitted)
			key, err := keys.Verify(ctx, made.Secret, nil)
			is(stored, err, nil)
			if key.Permits(permission.Set{"files": {"read"}}) {
				t.Errorf("%s: permitted", stored)
			}
		}
		for _, c := range []struct{ verb string }{{"%v"}, {"%+v"}, {"%#v"}, {"%s"}} {
			for _, v := range []any{made, &made, []apikey.Created{made}, keys, made.Key} {
				if shown := fmt.Sprintf(c.verb, v); strings.Contains(shown, string(made.Secret)) || strings.Contains(shown, string(made.Key.Key)) {
					t.Errorf("%s of %T shows the key", c.verb, v)
				}
			}
		}
		if encoded := string(must[[]byte](t)(json.Marshal(made))); strings.Contains(encoded, string(made.Secret)) || strings.Contains(encoded, string(made.Key.Key)) {
			t.Error("JSON shows the key")
		}
	}
}
