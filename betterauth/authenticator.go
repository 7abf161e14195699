package betterauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
)

// Sessions is what an [Authenticator] needs of [authdb.SessionRepository].
type Sessions interface {
	Authenticate(ctx context.Context, token string) (authdb.Authentication, error)
	Refresh(ctx context.Context, p authdb.RefreshSessionParams) (authdb.RefreshedSession, error)
}

var _ Sessions = (*authdb.SessionRepository)(nil)

// Bearer says which tokens in a header Authorization: Bearer sign a request in.
type Bearer int

// What Better Auth's bearer plugin takes (1.7.25: dist/plugins/bearer/index.mjs).
const (
	// BearerOff: none, as on a server without the plugin.
	BearerOff Bearer = iota
	// BearerSigned: the value of the cookie, percent-encoded or not, as the server sends it in set-auth-token. That is
	// the plugin with requireSignature.
	BearerSigned
	// BearerPlain: also the token alone, so that whoever reads the session table is everybody. That is the plugin's
	// default.
	BearerPlain
)

// Authenticator finds out who sent a request, as a Better Auth server does: by the session cookie or a bearer token,
// whose session it prolongs when that is due. [Authenticator.Require] and [Authenticator.Optional] are middleware for
// any router; [Authenticator.Authenticate] is what they do, for use without them. Its fields must not be changed once
// it is in use; it is then safe for concurrent use.
type Authenticator struct {
	Sessions Sessions // a store's Sessions
	Cookies  *Cookies
	Bearer   Bearer // zero: cookies only

	// Lifetime and UpdateAge are the other side's session.expiresIn and session.updateAge. Zero:
	// [authdb.SessionLifetime] and [authdb.SessionUpdateAge].
	Lifetime, UpdateAge time.Duration
	// NoRefresh leaves it to the other side to prolong sessions, as its session.disableSessionRefresh does.
	NoRefresh bool
	// Now is the clock that says whether a session is due; nil: time.Now.
	Now func() time.Time

	// OnError answers a request that [Authenticator.Require] or [Authenticator.Optional] refuses, and may log why; nil:
	// [WriteError]. The error is [ErrUnauthenticated] or that of the database.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// OnRefreshError is told why a live session could not be prolonged. The request goes on, and the next one tries
	// again. nil: nobody is told.
	OnRefreshError func(r *http.Request, err error)
}

// Require is middleware that serves who is signed in: next finds out who that is by [FromContext]. It refuses others
// with status 401, and all with 503 if the database cannot say. It writes no header once next has begun. It panics if
// Sessions or Cookies is nil.
func (a *Authenticator) Require(next http.Handler) http.Handler { return a.handler(next, false) }

// Optional is Require, but serves those too who are not signed in, or no more. [FromContext] tells them. While the
// database cannot say, it refuses everybody with a cookie or token that was signed, with status 503.
func (a *Authenticator) Optional(next http.Handler) http.Handler { return a.handler(next, true) }

func (a *Authenticator) handler(next http.Handler, anonymous bool) http.Handler {
	if a.Sessions == nil || a.Cookies == nil {
		panic("betterauth: an Authenticator needs Sessions and Cookies")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := FromContext(r.Context()); known { // by middleware around this one
			next.ServeHTTP(w, r)
			return
		}
		found, err := a.Authenticate(w, r)
		switch {
		case err == nil:
			r = r.WithContext(NewContext(r.Context(), found))
		case !anonymous || !errors.Is(err, ErrUnauthenticated):
			a.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Authenticate returns who sent the request. If the session is due, it is prolonged, and where it came by cookie, that
// is set again on w, with Cache-Control: no-store; nothing else is done to w. A session without "remember me" is never
// due. It returns [ErrNoCookie], [ErrMalformedCookie], [ErrForgedCookie] or [ErrNoSession], each of which is
// [ErrUnauthenticated], or the error of Sessions.
//
// A bearer token goes before the cookie, unless it is malformed or forged: then the cookie counts, as on the other
// side. No cookie is cleared, since a replica that lags behind would sign people out: see [Cookies.Clear].
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request) (authdb.Authentication, error) {
	token, byCookie, err := a.token(r)
	if err != nil {
		return authdb.Authentication{}, err
	}
	found, err := a.Sessions.Authenticate(r.Context(), token)
	if errors.Is(err, authdb.ErrNotFound) {
		return authdb.Authentication{}, ErrNoSession
	}
	if err != nil {
		return authdb.Authentication{}, err
	}
	if !a.isDue(r, found.Session) {
		return found, nil
	}
	refreshed, err := a.Sessions.Refresh(r.Context(), authdb.RefreshSessionParams{
		Token: token, Lifetime: a.Lifetime, UpdateAge: a.UpdateAge,
	})
	switch {
	case errors.Is(err, authdb.ErrNotFound): // signed out meanwhile
		return authdb.Authentication{}, ErrNoSession
	case err != nil:
		if a.OnRefreshError != nil {
			a.OnRefreshError(r, err)
		}
		return found, nil
	}
	// Not the whole row: the membership in found belongs to the organization that was active before.
	found.Session.ExpiresAt, found.Session.UpdatedAt = refreshed.ExpiresAt, refreshed.UpdatedAt
	if byCookie {
		w.Header().Set("Cache-Control", "no-store")
		http.SetCookie(w, a.Cookies.Cookie(token, a.lifetime()))
	}
	return found, nil
}

// token returns the session token that the request sends, and whether it does so by cookie.
func (a *Authenticator) token(r *http.Request) (token string, byCookie bool, err error) {
	token, bearerErr := a.bearer(r)
	if bearerErr == nil {
		return token, false, nil
	}
	token, err = a.Cookies.Token(r)
	if errors.Is(err, ErrNoCookie) {
		err = bearerErr
	}
	return token, true, err
}

func (a *Authenticator) bearer(r *http.Request) (string, error) {
	const scheme = "bearer "
	header := r.Header.Get("Authorization")
	if a.Bearer == BearerOff || len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", ErrNoCookie
	}
	value := strings.TrimSpace(header[len(scheme):])
	switch {
	case value == "":
		return "", ErrNoCookie
	case a.Bearer == BearerPlain && !strings.Contains(value, "."):
		return value, nil
	}
	return a.Cookies.Verify(value)
}

// isDue is Better Auth's rule, expiresAt - expiresIn + updateAge <= now (1.7.25: dist/api/routes/session.mjs).
func (a *Authenticator) isDue(r *http.Request, s authdb.Session) bool {
	now, age := time.Now, a.UpdateAge
	if a.Now != nil {
		now = a.Now
	}
	if age == 0 {
		age = authdb.SessionUpdateAge
	}
	return !a.NoRefresh && !s.ExpiresAt.Add(age-a.lifetime()).After(now()) && !a.Cookies.DontRemember(r)
}

func (a *Authenticator) lifetime() time.Duration {
	if a.Lifetime == 0 {
		return authdb.SessionLifetime
	}
	return a.Lifetime
}

func (a *Authenticator) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if a.Bearer != BearerOff && errors.Is(err, ErrUnauthenticated) {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if a.OnError != nil {
		a.OnError(w, r, err)
		return
	}
	WriteError(w, err)
}

// WriteError answers a request that could not be authenticated: [ErrUnauthenticated] with status 401 and the body that
// Better Auth itself sends, {"message":"Unauthorized","code":"UNAUTHORIZED"}, anything else with status 503 and a body
// of the same form, and Retry-After: 1 where it is [ErrBusy]. It says nothing of why. A 401 of the middleware has WWW-Authenticate: Bearer where the
// [Authenticator] takes bearer tokens; for cookies there is no such scheme.
func WriteError(w http.ResponseWriter, err error) {
	status, body := http.StatusServiceUnavailable, `{"message":"Service Unavailable","code":"SERVICE_UNAVAILABLE"}`
	if errors.Is(err, ErrUnauthenticated) {
		status, body = http.StatusUnauthorized, `{"message":"Unauthorized","code":"UNAUTHORIZED"}`
	}
	if errors.Is(err, ErrBusy) {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

type contextKey struct{}

// NewContext returns a context that says who is signed in, for [FromContext]. The middleware makes it; a test of a
// handler may too. Where a context has one, the middleware does not ask again.
func NewContext(ctx context.Context, a authdb.Authentication) context.Context {
	return context.WithValue(ctx, contextKey{}, a)
}

// FromContext returns who is signed in, and whether anybody is.
func FromContext(ctx context.Context) (authdb.Authentication, bool) {
	a, ok := ctx.Value(contextKey{}).(authdb.Authentication)
	return a, ok
}
