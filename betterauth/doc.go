// Package betterauth is what a Go service needs beside a Better Auth server (TypeScript, 1.3 to 1.7) on the same
// database: its session cookies, password hashes, ids and verification identifiers, and middleware for net/http that
// authenticates requests by them.
//
// # Signing requests in
//
// With secret, the server's BETTER_AUTH_SECRET, and [CookieOptions], which repeat its options for cookies, whoever
// signs in or out there is signed in or out here, too:
//
//	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
//	if err != nil {
//		return err
//	}
//	auth := &betterauth.Authenticator{Sessions: store.Sessions, Cookies: cookies}
//
//	mux := http.NewServeMux()
//	mux.Handle("GET /me", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		me, _ := betterauth.FromContext(r.Context())
//		_, _ = fmt.Fprint(w, "hello "+me.User.Name)
//	})))
//
// [Authenticator.Require] takes one round trip to the database, and a second once a day to prolong a session that is
// due. It answers 401 as Better Auth does. [Authenticator.Optional] lets others through, and
// [Authenticator.Authenticate] does the same without middleware. A browser sends the cookie to a service on another
// host only if the server sets it for the whole domain: see [CookieOptions].
//
// SameSite=Lax keeps the cookie out of other sites' requests, but not out of their links: change nothing in a GET. If
// that is not enough, as with SameSite=None or with hosts of one domain that do not trust each other, put
// [http.CrossOriginProtection] around the middleware.
//
// Whatever a handler says about caching, the middleware's answers vary by the cookie, and caches do not store one with
// a session cookie. If several Authenticators are around a handler, each decides for itself, and [FromContext] returns
// what the innermost one found.
//
// # What roles permit
//
// [Authenticator.RequirePermission] serves only users whose role in the active organization grants what a route needs,
// in the same round trip. Package permission has the plugins' default roles, and works with the application's own.
//
// # Signing people in and out
//
// The server accepts what is made here:
//
//	hash, err := betterauth.HashPassword(ctx, password)
//	ok, err := betterauth.VerifyPassword(ctx, account.Password, password) // nil where there is no hash
//
//	session, err = store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: ada.ID})
//	http.SetCookie(w, cookies.Cookie(session.Token, store.Sessions.Settings().SessionLifetime))
//
//	_, err := store.Sessions.DeleteByTokens(r.Context(), append(cookies.Tokens(r), me.Session.Token))
//	for _, c := range cookies.Clear(r) {
//		http.SetCookie(w, c)
//	}
//
// [Cookies.NoStore] keeps such answers out of every cache, around those handlers or around all:
//
//	handler := cookies.NoStore(mux)
//
// Hashing a password takes 32 MiB and some 100 ms, and anybody can ask for it. So [Hasher] makes few hashes at a time,
// and returns [ErrBusy] to callers who would wait too long. That protects the program, not an account: first count
// attempts by address and sender.
//
// With session.cookieCache the server trusts a copy in another cookie for some minutes more, whatever is deleted.
//
// # Errors
//
// They are told apart by [errors.Is], and show no secret, token, password or hash. [ErrUnauthenticated] covers every
// reason why a request is not signed in: [ErrNoCookie], [ErrMalformedCookie], [ErrForgedCookie] and [ErrNoSession].
package betterauth
