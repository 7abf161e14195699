package docs_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/permission"
)

// newHandler serves whoever is signed in at the Better Auth server. secret is its BETTER_AUTH_SECRET.
func newHandler(store *authdb.Store, secret string) (http.Handler, error) {
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		return nil, err
	}
	auth := &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies}
	s := service{store}

	mux := http.NewServeMux()
	mux.Handle("GET /me", auth.Require(http.HandlerFunc(s.me)))
	mux.Handle("GET /organizations/{id}/members", auth.Require(http.HandlerFunc(s.members)))
	mux.Handle("POST /invoices", auth.RequirePermission(rules, permission.Set{"invoice": {"create"}},
		http.HandlerFunc(s.createInvoice)))
	return mux, nil
}

// rules are what the roles of the organization plugin grant in this application: they repeat its option roles.
var rules = permission.Rules{Roles: permission.Roles{
	authdb.RoleOwner:  {"invoice": {"create", "read"}},
	authdb.RoleAdmin:  {"invoice": {"create", "read"}},
	authdb.RoleMember: {"invoice": {"read"}},
}}

type service struct{ store *authdb.Store }

func (s service) me(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context()) // Require has let nobody else through
	role := ""
	if me.Member != nil { // in the active organization
		role = me.Member.Role
	}
	answer(w, http.StatusOK, map[string]string{"name": me.User.Name, "role": role})
}

// members answers 404 to whoever is no member, as for an organization that does not exist.
func (s service) members(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), r.PathValue("id")
	me, _ := betterauth.FromContext(ctx)
	if _, err := s.store.Members.GetByUser(ctx, id, me.User.ID); err != nil {
		fail(w, err)
		return
	}
	page, err := s.store.Members.List(ctx, authdb.ListMembersParams{OrganizationID: id})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, page)
}

func (s service) createInvoice(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusCreated, struct{}{})
}

// fail answers with the status that docs/errors.md says for each kind.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch e, ok := errors.AsType[*authdb.Error](err); {
	case errors.Is(err, authdb.ErrNotFound), errors.Is(err, authdb.ErrReference):
		status = http.StatusNotFound
	case errors.Is(err, authdb.ErrInvalidInput):
		status = http.StatusBadRequest
	case errors.Is(err, authdb.ErrNotPermitted), errors.Is(err, authdb.ErrNotMember),
		errors.Is(err, authdb.ErrEmailNotVerified), errors.Is(err, authdb.ErrBanned):
		status = http.StatusForbidden
	case errors.Is(err, authdb.ErrUnavailable), errors.Is(err, authdb.ErrTimeout):
		status = http.StatusServiceUnavailable
	case ok && e.Retry == authdb.RetryNever && e.Kind() != nil:
		status = http.StatusConflict // another row has it, or a rule refuses it
	}
	answer(w, status, map[string]string{"error": http.StatusText(status)})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// whoIs is for a server without net/http, such as one of gRPC, whose clients send the cookie's value or a bearer token.
func whoIs(ctx context.Context, store *authdb.Store, cookies *betterauth.Cookies, value string) (authdb.Authentication, error) {
	token, err := cookies.Verify(value) // who signed it
	if err != nil {
		return authdb.Authentication{}, err // betterauth.ErrForgedCookie
	}
	return store.Sessions.Authenticate(ctx, token) // whether the session lives: authdb.ErrNotFound
}

const secret = "kR7vTqY2nPzX9mWcB4sLhJ6dFgA1eU8o"

func TestAuthenticateGuide(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	handler, err := newHandler(store, secret)
	if err != nil {
		t.Fatal(err)
	}
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	owner := authdbtest.User(t, store)
	org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = owner.ID })
	member := authdbtest.Member(t, store, func(p *authdb.CreateMemberParams) { p.OrganizationID = org.ID })
	other := authdbtest.Organization(t, store)
	session := func(userID string) *http.Cookie {
		s := authdbtest.Session(t, store, func(p *authdb.CreateSessionParams) {
			p.UserID, p.ActiveOrganizationID = userID, &org.ID
		})
		return cookies.Cookie(s.Token, time.Hour)
	}
	ofOwner, ofMember := session(owner.ID), session(member.UserID)
	for _, test := range []struct {
		method, path string
		cookie       *http.Cookie
		want         int
	}{
		{"GET", "/me", nil, 401},
		{"GET", "/me", ofOwner, 200},
		{"GET", "/organizations/" + org.ID + "/members", ofMember, 200},
		{"GET", "/organizations/" + other.ID + "/members", ofOwner, 404},
		{"POST", "/invoices", ofMember, 403},
		{"POST", "/invoices", ofOwner, 201},
	} {
		r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil)
		if test.cookie != nil {
			r.AddCookie(test.cookie)
		}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != test.want {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.want)
		}
	}
	if me, err := whoIs(t.Context(), store, cookies, ofOwner.Value); err != nil || me.User.ID != owner.ID {
		t.Errorf("got %v, %v", me.User.ID, err)
	}
	if _, err := whoIs(t.Context(), store, cookies, "x"+ofOwner.Value); !errors.Is(err, betterauth.ErrForgedCookie) {
		t.Errorf("a forged one: %v", err)
	}
}

// TestFail holds fail to docs/errors.md.
func TestFail(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	user := authdbtest.User(t, store)
	org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = user.ID })
	_, missing := store.Users.Get(ctx, "nobody")
	_, taken := store.Users.Create(ctx, authdb.CreateUserParams{Email: user.Email})
	_, malformed := store.Users.Create(ctx, authdb.CreateUserParams{Email: "@"})
	closed := authdbtest.New(t)
	closed.Close()
	for want, err := range map[int]error{
		404: missing, 409: taken, 400: malformed, 503: closed.Ping(ctx), 500: errors.New("something else"),
	} {
		w := httptest.NewRecorder()
		if fail(w, err); w.Code != want {
			t.Errorf("%v: %d, want %d", err, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	if fail(w, store.Members.Leave(ctx, org.ID, user.ID)); w.Code != 409 {
		t.Errorf("the last owner: %d", w.Code)
	}
}
