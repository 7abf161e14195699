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
	Settings() authdb.Settings // how long sessions live, and when they are prolonged
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
	// BearerPlain: also the token alone. Then whoever can read the session table can act as anybody. That is the
	// plugin's default.
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

	// Standby is asked in place of Sessions, which must lead to its primary; nil: none is. It is asked once it has the
	// position that the request carries, see [Cookies.PositionCookie]. Sessions is asked where it has not come so far within
	// StandbyPatience, where it knows no such session, as right after a sign-in, and where it fails. So it may lag, and be
	// gone: a session that was revoked, or a membership that ended, counts for as long as it lags, but to whom a position
	// is given. Sessions are prolonged by Sessions alone. It must have the [authdb.WithPlugins] of Sessions, or who is
	// banned comes in by it: a store with others than the store of Sessions is not asked.
	Standby *authdb.Store
	// StandbyPatience is how long a request waits for Standby; zero: 100 ms.
	StandbyPatience time.Duration

	// NoRefresh leaves it to others to prolong sessions: to the other side, as its session.disableSessionRefresh does, or
	// to a program that keeps short ones alive by [authdb.SessionRepository.UpdateByToken].
	NoRefresh bool
	// Now is the clock that says whether a session is due; nil: time.Now.
	Now func() time.Time

	// OnError answers a request that [Authenticator.Require] or [Authenticator.Optional] refuses, and may log why; nil:
	// [WriteError]. The error is [ErrUnauthenticated] or that of the database. [FromContext] tells of nobody, whatever
	// other middleware around it found.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// OnRefreshError is told why a live session could not be prolonged. The request goes on, and the next one tries
	// again. nil: nobody is told.
	OnRefreshError func(r *http.Request, err error)
}

// Require is middleware that serves who is signed in: next finds out who that is by [FromContext]. It refuses others
// with status 401, and all with 503 if the database cannot say. It panics if Sessions or Cookies is nil.
//
// Each answer has Cookie in its header Vary, and Authorization where bearer tokens count. One that has a cookie of
// Cookies, since a session was prolonged or next set it, has Cache-Control: private, no-store, and no header that tells
// a cache otherwise. Both hold whatever next sets, and when: they are seen to before each write and when next is done,
// so that middleware outside may hold the header back. For that, next gets a ResponseWriter around the one that was
// there; it can do what that one can.
//
// Inside middleware of the same Authenticator, or its NewContext, it asks nothing again, but sees to the header all the
// same. What another one found counts for nothing.
func (a *Authenticator) Require(next http.Handler) http.Handler { return a.handler(next, false) }

// Optional is Require, but serves those too who are not signed in, or no more. [FromContext] tells them. While the
// database cannot say, it refuses everybody with a cookie or token that was signed, with status 503.
func (a *Authenticator) Optional(next http.Handler) http.Handler { return a.handler(next, true) }

// RequirePermission is Require, but serves only whom [Can] allows all that is wanted; it refuses others with
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

// Can reports whether the roles of who is signed in grant all that is wanted: those in the active organization, or with
// rules of the platform those of the user. The organization's own roles count, and the user's are known, where the
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

func (a *Authenticator) handler(next http.Handler, anonymous bool) http.Handler {
	if a.Sessions == nil || a.Cookies == nil {
		panic("betterauth: an Authenticator needs Sessions and Cookies")
	}
	vary := "Cookie"
	if a.Bearer != BearerOff {
		vary = "Authorization, Cookie"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, answer := a.Cookies.guard(w, vary) // also within a's own: the cookie may be there, and a cache in between
		defer answer.settle()
		outer, known := r.Context().Value(contextKey{}).(*result)
		if known && outer.by == a && outer.signedIn {
			next.ServeHTTP(w, r)
			return
		}
		if known { // by another, whose word does not count here, nor where an error is told
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

// Authenticate returns who sent the request. If the session is due, it is prolonged, and where it came by cookie, that
// is set again on w, with Cache-Control: private, no-store and without what would tell caches otherwise. Nothing else
// is done to w: without the middleware, it is for the caller to say Vary: Cookie, and not to set those headers again. A
// session without "remember me" is never due, nor one that was made for less than the lifetime: see
// [authdb.SessionRepository.Refresh]. It returns [ErrNoCookie], [ErrMalformedCookie], [ErrForgedCookie] or
// [ErrNoSession], each of which is [ErrUnauthenticated], or the error of Sessions.
//
// A bearer token goes before the cookie, unless it is malformed or forged: then the cookie counts, as on the other
// side. No cookie is cleared, since a replica that lags behind would sign people out: see [Cookies.Clear].
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request) (authdb.Authentication, error) {
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
	prolonged := refreshed.ExpiresAt.After(found.Session.ExpiresAt) // here or by another; one that impersonates is not
	// Not the whole row: the membership in found belongs to the organization that was active before.
	found.Session.ExpiresAt, found.Session.UpdatedAt = refreshed.ExpiresAt, refreshed.UpdatedAt
	if byCookie && prolonged {
		notForCaches(w.Header())
		http.SetCookie(w, a.Cookies.Cookie(token, a.Sessions.Settings().SessionLifetime))
	}
	return found, nil
}

// byStandby is what the standby says, where that can be believed.
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

// token returns the session token that the request sends, and whether it does so by cookie.
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

// isDue is Better Auth's rule, expiresAt - expiresIn + updateAge <= now (1.7.25: dist/api/routes/session.mjs), for the
// sessions that Refresh prolongs at all.
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

// WriteError answers a request that was refused: [ErrUnauthenticated] with status 401 and the body that Better Auth
// itself sends, {"message":"Unauthorized","code":"UNAUTHORIZED"}, [ErrForbidden] and [authdb.ErrBanned] with status 403,
// anything else with status 503, and bodies of the same form, and Retry-After: 1 where it is [ErrBusy]. It says nothing
// of why. A 401 of the middleware has WWW-Authenticate: Bearer where the [Authenticator] takes bearer tokens; for
// cookies there is no such scheme.
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

// result is what an Authenticator found, which counts for itself alone. A context has a pointer to it, which fmt prints
// as an address: of a value, %#v would print the token.
type result struct {
	by       *Authenticator // nil: the function NewContext
	signedIn bool
	authdb.Authentication
}

// NewContext returns a context that says who is signed in, for [FromContext], as a test of a handler needs it. No
// middleware believes it: see [Authenticator.NewContext].
func NewContext(ctx context.Context, who authdb.Authentication) context.Context {
	return (*Authenticator)(nil).NewContext(ctx, who)
}

// NewContext returns a context in which a's own middleware does not ask who is signed in, as it makes it itself: for a
// test of handlers with their middleware, and for whoever calls [Authenticator.Authenticate] around it.
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
