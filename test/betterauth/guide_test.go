//go:build betterauth

package betterauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// guide is the Go half of docs/from-better-auth.md; guide.mjs is the other.
type guide struct {
	store *authdb.Store
	auth  *betterauth.Authenticator
}

func (g guide) whoIs(w http.ResponseWriter, r *http.Request) (string, error) {
	me, err := g.auth.Authenticate(w, r) // in a handler behind g.auth.Require: betterauth.FromContext(r.Context())
	if errors.Is(err, betterauth.ErrUnauthenticated) {
		return "nobody", nil
	}
	return me.User.Name, err
}

func (g guide) createOrganization(ctx context.Context, me authdb.User, name, slug string) (string, error) {
	org, err := g.store.Organizations.Create(ctx, authdb.CreateOrganizationParams{
		Name: name, Slug: slug, OwnerID: me.ID, DefaultTeam: true,
	})
	return org.ID, err
}

func (g guide) full(ctx context.Context, slug string) (names []string, err error) {
	org, err := g.store.Organizations.GetBySlug(ctx, slug)
	if err != nil {
		return nil, err
	}
	full, err := g.store.Organizations.GetFull(ctx, org.ID, authdb.OrganizationWith{
		Members: authdb.All(), Teams: authdb.All(), Invitations: authdb.All(),
	})
	for _, m := range full.Members {
		names = append(names, m.User.Name)
	}
	return names, err
}

func (g guide) page(ctx context.Context, organizationID string, after authdb.Cursor) (authdb.Page[authdb.MemberWithUser], error) {
	return g.store.Members.List(ctx, authdb.ListMembersParams{OrganizationID: organizationID, After: after, Limit: 50})
}

func (g guide) signUp(ctx context.Context, email, slug string) error {
	return g.store.InTx(ctx, func(tx *authdb.Store) error {
		user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: email})
		if err != nil {
			return err
		}
		_, err = tx.Organizations.Create(ctx, authdb.CreateOrganizationParams{Name: "Acme", Slug: slug, OwnerID: user.ID})
		return err
	})
}

// TestGuide: both halves of docs/from-better-auth.md do the same.
func TestGuide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25")
	w.group(func() {
		g := guide{w.Store, w.auth}
		theirs := func(b *browser, name string, args object) answer {
			return w.done(name, b.post("/test/guide", object{"name": name, "args": args}))
		}
		ada, user := w.goUser("Ada", true)

		request, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.base, nil)
		w.must(w.is("request", err, nil))
		w.equal("nobody, there", theirs(w.browser(), "whoIs", nil).body, "nobody")
		w.equal("nobody, here", one[string](w.check)(g.whoIs(nil, request)), "nobody")
		request.AddCookie(w.cookies.Cookie(authdb.Secret(ada.token()), authdb.SessionLifetime))
		w.equal("Ada, there", theirs(ada, "whoIs", nil).body, "Ada")
		w.equal("Ada, here", one[string](w.check)(g.whoIs(nil, request)), "Ada")

		id := one[string](w.check)(g.createOrganization(w.ctx, user, "Engines", "engines"))
		other := theirs(ada, "createOrganization", object{"name": "Mills", "slug": "mills"}).body.(string)
		for _, org := range []string{id, other} {
			full := one[authdb.OrganizationWithRelations](w.check)(w.Organizations.GetFull(w.ctx, org,
				authdb.OrganizationWith{Members: authdb.All(), Teams: authdb.All()}))
			w.equal("members and teams", []int{len(full.Members), len(full.Teams)}, []int{1, 1})
		}

		for _, slug := range []string{"engines", "mills"} {
			w.equal("full, there", theirs(ada, "full", object{"slug": slug}).list(), []any{"Ada"})
			w.equal("full, here", one[[]string](w.check)(g.full(w.ctx, slug)), []string{"Ada"})
		}
		page := one[authdb.Page[authdb.MemberWithUser]](w.check)(g.page(w.ctx, id, authdb.Cursor{}))
		there := theirs(ada, "page", object{"organizationId": id})
		w.equal("page", []any{page.Items[0].ID, page.Items[0].User.ID}, []any{there.at(0, "id"), there.at(0, "user", "id")})

		w.ok(ada.post("/test/guide", object{"name": "signUp", "args": object{"fail": true}}).status == 500, "a slug in use, there")
		w.is("a slug in use, here", g.signUp(w.ctx, "ada@go.example", "engines"), authdb.ErrSlugTaken)
		w.equal("neither user", w.number(`SELECT count(*) FROM "user" WHERE email IN ('ada@ts.example', 'ada@go.example')`), 0)
		theirs(ada, "signUp", nil)
		w.is("here", g.signUp(w.ctx, "ada@go.example", "go"), nil)
		w.equal("both", w.number(`SELECT count(*) FROM "user" WHERE email IN ('ada@ts.example', 'ada@go.example')`), 2)
		w.ok(slices.Contains(one[[]string](w.check)(g.full(w.ctx, "go")), "Ada"), "an owner")
	})
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	if w.n < 20 {
		t.Errorf("%d checks", w.n)
	}
}
