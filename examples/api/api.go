// Package api is a small Go service beside a Better Auth server: it knows who is signed in by the cookie that the
// server set, and works on the same organizations.
package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// New returns the service on a store. secret is the server's BETTER_AUTH_SECRET.
func New(store *authdb.Store, secret string) (http.Handler, error) {
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	if err != nil {
		return nil, err
	}
	auth := &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies}
	s := service{store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("POST /organizations", s.createOrganization)
	mux.HandleFunc("GET /organizations", s.listOrganizations)
	return auth.Require(mux), nil
}

type service struct{ store *authdb.Store }

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
