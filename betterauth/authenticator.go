package betterauth

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/permission"
)

// Sessions is what an [Authenticator] needs of [authdb.SessionRepository].
type Sessions interface {
	Authenticate(ctx context.Context, token authdb.Secret) (authdb.Authentication, error)
	Refresh(ctx context.Context, p authdb.RefreshSessionParams) (authdb.RefreshedSession, error)
	Settings() authdb.Settings // says how long sessions live, and when they are due
}

var _ Sessions = (*authdb.SessionRepository)(nil)

// Bearer says which tokens in a header Authorization: Bearer sign a request in.
type Bearer int

// What Better Auth's bearer plugin accepts (1.7.25: dist/plugins/bearer/index.mjs).
const (
	// BearerOff: none, as on a server without the plugin.
	BearerOff Bearer = iota
	// BearerSigned: the value of the cookie, percent-encoded or not, as the server sends it in set-auth-token. That is
	// the plugin with requireSignature.
	BearerSigned
	// BearerPlain: also the token alone, the plugin's default. Then whoever can read the session table can act as anybody.
	BearerPlain
)

// Authenticator finds out who sent a request, as a Better Auth server does: by the session cookie or a bearer token. It
// prolongs the session when that is due. [Authenticator.Require] and [Authenticator.Optional] are middleware for any
// router; [Authenticator.Authenticate] does the same without middleware. An Authenticator is safe for concurrent use,
// if its fields are not changed once it is in use.
type Authenticator struct {
	Sessions Sessions // a store's Sessions
	Cookies  *Cookies
	Bearer   Bearer // zero: cookies only

	// Standby, if not nil, is asked before Sessions, which must be on its primary. It is asked once it has reached the
	// position that the request carries; see [Cookies.PositionCookie]. Sessions is asked if that takes longer than
	// StandbyPatience, if the standby does not have the session, as right after a sign-in, or if it fails. So a standby
	// may lag or be gone. While it lags, a session that was revoked or a membership that ended still counts, except for
	// clients with a position. Only Sessions prolongs sessions. A Standby whose [authdb.WithPlugins] differ from those of
	// Sessions is not asked, since it could let banned users in.
	Standby *authdb.Store
	// StandbyPatience is how long a request waits for Standby; zero: 100 ms.
	StandbyPatience time.Duration

	// NoRefresh prolongs no session, like the server's session.disableSessionRefresh. It is for services that leave that
	// to the server, or to a program that keeps short sessions alive by [authdb.SessionRepository.UpdateByToken].
	NoRefresh bool
	// Now is the clock that says whether a session is due; nil: time.Now.
	Now func() time.Time

	// OnError answers a request that [Authenticator.Require] or [Authenticator.Optional] refuses, and may log why; nil:
	// [WriteError]. The error is [ErrUnauthenticated] or the database's. In OnError, [FromContext] finds nobody, whatever
	// middleware around this one found.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// OnRefreshError is called with the reason why a live session could not be prolonged; nil: nothing is called. The
	// request goes on, and the next one tries again.
	OnRefreshError func(r *http.Request, err error)
}

// Require is middleware that serves signed-in users; next finds out by [FromContext] who that is. It refuses others
// with status 401, and everybody with 503 if the database cannot answer. It panics if Sessions or Cookies is nil.
//
// Each answer has Cookie in its header Vary, and Authorization if bearer tokens count. An answer with a cookie of
// Cookies, because a session was prolonged or next set it, has Cache-Control: private, no-store, and no header that
// tells a cache otherwise. Both hold whatever next sets, and when: the header is corrected before each write and when
// next is done, also if middleware outside holds it back. For that, next gets a ResponseWriter around the original one,
// which can do what that can.
//
// Inside middleware of the same Authenticator, or its NewContext, it does not ask again, but still corrects the header.
// It ignores what another Authenticator found.
func (a *Authenticator) Require(next http.Handler) http.Handler { return a.handler(next, false) }

// Optional is Require, but also serves those who are not signed in, or no longer; [FromContext] tells. While the
// database cannot answer, it refuses everybody with a genuine cookie or token with status 503.
func (a *Authenticator) Optional(next http.Handler) http.Handler { return a.handler(next, true) }

// RequirePermission is Require, but serves only users for whom [Can] returns true; it refuses others with
// [ErrForbidden], status 403.
func (a *Authenticator) RequirePermission(rules permission.Rules, wanted permission.Set, next http.Handler) http.Handler {
	return a.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, _ := FromContext(r.Context()); !Can(who, rules, wanted) {
			a.refuse(w, r, ErrForbidden)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// Can reports whether the user's roles grant all that is wanted: the roles in the active organization or, if
// rules.Platform is set, the user's. Roles that the organization defined, and those of the user, are known only if the
// store has [authdb.WithPlugins]; without it they grant nothing.
func Can(who authdb.Authentication, rules permission.Rules, wanted permission.Set) bool {
	switch {
	case rules.Platform:
		return who.Platform != nil && rules.Can(who.Platform.Role, wanted)
	case who.Member == nil:
		return false
	}
	return rules.Can(who.Member.Role, wanted, who.Roles)
}

// mustBeWhole panics in a program that forgot what any request needs.
func (a *Authenticator) mustBeWhole() {
	if a.Sessions == nil || a.Cookies == nil {
		panic("betterauth: an Authenticator needs Sessions and Cookies")
	}
}

func (a *Authenticator) handler(next http.Handler, anonymous bool) http.Handler {
	a.mustBeWhole()
	vary := "Cookie"
	if a.Bearer != BearerOff {
		vary = "Authorization, Cookie"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, answer := a.Cookies.guard(w, vary) // also inside a's own middleware: a cache may be in between
		defer answer.settle()
		outer, known := r.Context().Value(contextKey{}).(*result)
		if known && outer.by == a && outer.signedIn {
			next.ServeHTTP(w, r)
			return
		}
		if known { // another's result counts neither here nor in OnError
			r = r.WithContext(context.WithValue(r.Context(), contextKey{}, &result{by: a}))
		}
		found, err := a.Authenticate(w, r)
		switch {
		case err == nil:
			r = r.WithContext(a.NewContext(r.Context(), found))
		case !anonymous || !errors.Is(err, ErrUnauthenticated):
			a.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Authenticate returns who sent the request. If the session is due, it prolongs it. If the token came by cookie, it
// then sets the cookie again on w, with Cache-Control: private, no-store and without headers that tell caches
// otherwise. It does nothing else to w: without the middleware, the caller must add Vary: Cookie, and not set those
// headers again. A session without "remember me" is never due, nor one that was made for less than the lifetime: see
// [authdb.SessionRepository.Refresh]. It returns [ErrNoCookie], [ErrMalformedCookie], [ErrForgedCookie] or
// [ErrNoSession], each of which is [ErrUnauthenticated], or the error of Sessions.
//
// A bearer token counts before the cookie; as on the server, the cookie counts if the token is malformed or forged. No
// cookie is cleared, since a standby that lags behind would sign people out: see [Cookies.Clear].
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request) (authdb.Authentication, error) {
	a.mustBeWhole()
	token, byCookie, err := a.token(r)
	if err != nil {
		return authdb.Authentication{}, err
	}
	found, ok := a.byStandby(r, token)
	if !ok {
		found, err = a.Sessions.Authenticate(r.Context(), token)
	}
	if errors.Is(err, authdb.ErrNotFound) {
		return authdb.Authentication{}, ErrNoSession
	}
	if err != nil {
		return authdb.Authentication{}, err
	}
	if !a.isDue(r, found.Session) {
		return found, nil
	}
	refreshed, err := a.Sessions.Refresh(r.Context(), authdb.RefreshSessionParams{Token: token})
	switch {
	case errors.Is(err, authdb.ErrNotFound): // signed out meanwhile
		return authdb.Authentication{}, ErrNoSession
	case err != nil:
		if a.OnRefreshError != nil {
			a.OnRefreshError(r, err)
		}
		return found, nil
	}
	prolonged := refreshed.ExpiresAt.After(found.Session.ExpiresAt) // here or by another; never if impersonating
	// Not the whole row: found's membership is in the organization that was active when it was read.
	found.Session.ExpiresAt, found.Session.UpdatedAt = refreshed.ExpiresAt, refreshed.UpdatedAt
	if byCookie && prolonged {
		notForCaches(w.Header())
		http.SetCookie(w, a.Cookies.Cookie(token, a.Sessions.Settings().SessionLifetime))
	}
	return found, nil
}

// byStandby returns what the standby found; ok is false if Sessions must be asked.
func (a *Authenticator) byStandby(r *http.Request, token authdb.Secret) (found authdb.Authentication, ok bool) {
	if a.Standby == nil {
		return found, false
	}
	own, known := bridge.Plugins(a.Sessions)
	if standby, _ := bridge.Plugins(a.Standby.Sessions); known && standby != own {
		return found, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(a.StandbyPatience, 100*time.Millisecond))
	defer cancel()
	if at := a.Cookies.Position(r); !at.IsZero() && a.Standby.WaitFor(ctx, at) != nil {
		return found, false
	}
	found, err := a.Standby.Sessions.Authenticate(ctx, token)
	return found, err == nil
}

// token returns the session token of the request, and whether it came by cookie.
func (a *Authenticator) token(r *http.Request) (token authdb.Secret, byCookie bool, err error) {
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

func (a *Authenticator) bearer(r *http.Request) (authdb.Secret, error) {
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
		return authdb.Secret(value), nil
	}
	return a.Cookies.Verify(value)
}

// isDue is Better Auth's rule, expiresAt - expiresIn + updateAge <= now (1.7.25: dist/api/routes/session.mjs), for
// sessions that Refresh may prolong.
func (a *Authenticator) isDue(r *http.Request, s authdb.Session) bool {
	now, other := time.Now, a.Sessions.Settings()
	if a.Now != nil {
		now = a.Now
	}
	return !a.NoRefresh && !s.ExpiresAt.Add(other.SessionUpdateAge-other.SessionLifetime).After(now()) &&
		s.ExpiresAt.Sub(s.CreatedAt) > other.SessionLifetime-time.Second && !a.Cookies.DontRemember(r)
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

// WriteError answers a refused request. [ErrUnauthenticated] is status 401 with Better Auth's own body,
// {"message":"Unauthorized","code":"UNAUTHORIZED"}; [ErrForbidden] and [authdb.ErrBanned] are 403, anything else is
// 503, with bodies of the same form; [ErrBusy] has Retry-After: 1. It does not say why. A 401 of the middleware has
// WWW-Authenticate: Bearer if the [Authenticator] takes bearer tokens; cookies have no such scheme.
func WriteError(w http.ResponseWriter, err error) {
	status, body := http.StatusServiceUnavailable, `{"message":"Service Unavailable","code":"SERVICE_UNAVAILABLE"}`
	switch {
	case errors.Is(err, ErrUnauthenticated):
		status, body = http.StatusUnauthorized, `{"message":"Unauthorized","code":"UNAUTHORIZED"}`
	case errors.Is(err, ErrForbidden):
		status, body = http.StatusForbidden, `{"message":"Forbidden","code":"FORBIDDEN"}`
	case errors.Is(err, authdb.ErrBanned):
		status = http.StatusForbidden
		body = `{"message":"You have been banned from this application.","code":"BANNED_USER"}`
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

// result is what an Authenticator found; it counts for that Authenticator alone. A context has a pointer to it, which
// fmt prints as an address: %#v would print the token of a value.
type result struct {
	by       *Authenticator // nil: the function NewContext
	signedIn bool
	authdb.Authentication
}

// NewContext returns a context that says who is signed in, for [FromContext], as a test of a handler needs it.
// Middleware does not rely on it: see [Authenticator.NewContext].
func NewContext(ctx context.Context, who authdb.Authentication) context.Context {
	return (*Authenticator)(nil).NewContext(ctx, who)
}

// NewContext returns a context that a's own middleware relies on, so that it does not ask who is signed in. It is for
// tests of handlers with their middleware, and for code that has called [Authenticator.Authenticate] before.
func (a *Authenticator) NewContext(ctx context.Context, who authdb.Authentication) context.Context {
	return context.WithValue(ctx, contextKey{}, &result{a, true, who})
}

// FromContext returns who is signed in, and whether anybody is: what the innermost middleware around the handler found.
func FromContext(ctx context.Context) (authdb.Authentication, bool) {
	found, ok := ctx.Value(contextKey{}).(*result)
	if !ok {
		return authdb.Authentication{}, false
	}
	return found.Authentication, found.signedIn
}
