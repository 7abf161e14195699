// Package api is a small Go service beside a Better Auth server: it knows who is signed in by the cookie that the
// server set, and works on the same organizations, teams, roles, bans and API keys.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/permission"
	"github.com/zerostarter/authdb/signin"
)

// New returns the service on a store that knows of the admin plugin. secret is the server's BETTER_AUTH_SECRET.
func New(ctx context.Context, store *authdb.Store, secret string) (http.Handler, error) {
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		return nil, err
	}
	users, err := admin.New(ctx, store, admin.Options{})
	if err != nil {
		return nil, err
	}
	keys, err := apikey.New(ctx, store, apikey.Options{})
	if err != nil {
		return nil, err
	}
	auth := &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies}
	keyed := &apikey.Authenticator{Keys: keys}
	s := service{store, users, cookies, &signin.Flows{Store: store, Cookies: cookies}}

	mux := http.NewServeMux() // for who is signed in
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("POST /organizations", s.createOrganization)
	mux.HandleFunc("GET /organizations", s.listOrganizations)
	mux.HandleFunc("GET /teams", s.listTeams)
	mux.Handle("GET /users", auth.RequirePermission(permission.Rules{Platform: true}, permission.Set{"user": {"list"}},
		http.HandlerFunc(s.listUsers)))

	mux.Handle("POST /users/{id}/ban", auth.RequirePermission(permission.Rules{Platform: true},
		permission.Set{"user": {"ban"}}, http.HandlerFunc(s.ban)))
	mux.Handle("POST /allowlist", auth.RequirePermission(permission.Rules{Platform: true},
		permission.Set{"user": {"create"}}, http.HandlerFunc(s.allow)))

	all := http.NewServeMux()
	all.Handle("/", auth.Require(mux))
	all.Handle("POST /sign-in", cookies.NoStore(http.HandlerFunc(s.signIn)))
	all.Handle("GET /key", keyed.Require(nil, http.HandlerFunc(s.key)))
	return all, nil
}

type service struct {
	store   *authdb.Store
	users   *admin.Users
	cookies *betterauth.Cookies
	flows   *signin.Flows
}

func (s service) me(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context())
	role := ""
	if me.Member != nil { // of the active organization
		role = me.Member.Role
	}
	answer(w, http.StatusOK, map[string]any{"name": me.User.Name, "email": me.User.Email, "role": role})
}

func (s service) createOrganization(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context())
	var body struct{ Name, Slug string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "malformed JSON"})
		return
	}
	org, err := s.store.Organizations.Create(r.Context(), authdb.CreateOrganizationParams{
		Name: body.Name, Slug: body.Slug, OwnerID: me.User.ID, DefaultTeam: true,
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"id": org.ID, "slug": org.Slug})
}

func (s service) listOrganizations(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context())
	list := []map[string]any{}
	for org, err := range s.store.Organizations.AllByUser(r.Context(), authdb.ListOrganizationsByUserParams{UserID: me.User.ID}) {
		if err != nil {
			fail(w, err)
			return
		}
		list = append(list, map[string]any{"slug": org.Slug, "role": org.Member.Role, "members": org.MemberCount})
	}
	answer(w, http.StatusOK, list)
}

// listTeams lists those of the active organization.
func (s service) listTeams(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context())
	list := []map[string]any{}
	if me.Member != nil {
		teams := s.store.Teams.All(r.Context(), authdb.ListTeamsParams{OrganizationID: me.Member.OrganizationID})
		for team, err := range teams {
			if err != nil {
				fail(w, err)
				return
			}
			list = append(list, map[string]any{"name": team.Name, "members": team.MemberCount})
		}
	}
	answer(w, http.StatusOK, list)
}

func (s service) listUsers(w http.ResponseWriter, r *http.Request) {
	page, err := s.users.List(r.Context(), authdb.ListUsersParams{})
	if err != nil {
		fail(w, err)
		return
	}
	list := []map[string]any{}
	for _, u := range page.Items {
		list = append(list, map[string]any{"name": u.Name, "role": u.Role, "banned": u.Banned})
	}
	answer(w, http.StatusOK, list)
}

func (s service) ban(w http.ResponseWriter, r *http.Request) {
	me, _ := betterauth.FromContext(r.Context())
	if _, err := s.users.Ban(r.Context(), admin.BanParams{UserID: r.PathValue("id"), By: me.User.ID, Reason: "spam"}); err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"banned": true})
}

// allow puts an address on the list of who may sign up, a table of the application's own.
func (s service) allow(w http.ResponseWriter, r *http.Request) {
	var body struct{ Email string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "malformed JSON"})
		return
	}
	if _, err := s.store.Pool().Exec(r.Context(), `INSERT INTO allowlist (email) VALUES ($1)`, body.Email); err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"email": body.Email})
}

func (s service) key(w http.ResponseWriter, r *http.Request) {
	key, _ := apikey.FromContext(r.Context())
	answer(w, http.StatusOK, map[string]any{"name": key.Name, "requests": key.RequestCount})
}

func (s service) signIn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Email    string
		Password authdb.Secret
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "malformed JSON"})
		return
	}
	in, err := s.flows.Password(r.Context(), signin.PasswordParams{Email: body.Email, Password: body.Password})
	switch {
	case errors.Is(err, signin.ErrInvalidCredentials):
		answer(w, http.StatusUnauthorized, map[string]any{"error": "wrong address or password"})
	case err != nil: // or a second factor is wanted: see docs/sign-in.md
		betterauth.WriteError(w, err)
	default:
		http.SetCookie(w, s.cookies.Cookie(in.Session.Token, authdb.SessionLifetime))
		answer(w, http.StatusOK, map[string]any{"name": in.User.Name})
	}
}

// fail says what the caller can do about it, and nothing of the database.
func fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, authdb.ErrSlugTaken):
		answer(w, http.StatusConflict, map[string]any{"error": "slug taken"})
	case errors.Is(err, authdb.ErrInvalidInput):
		answer(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
	default:
		answer(w, http.StatusInternalServerError, map[string]any{"error": "internal error"})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
