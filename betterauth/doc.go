// Package betterauth is what a Go service needs at the border to a Better Auth server (TypeScript) that writes the same
// database: its session cookies, its password hashes, its ids and verification identifiers, and middleware for net/http
// that signs a request in by them. Better Auth 1.3 to 1.7.
//
// # Signing requests in
//
// With secret, the other side's BETTER_AUTH_SECRET, and [CookieOptions], which repeat what it says about cookies, who
// signed in there is signed in here, and who is signed out there, here too:
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
// [Authenticator.Require] takes one round trip to the database, and a second where a session is due to be prolonged,
// once a day. It answers 401 as Better Auth does. [Authenticator.Optional] lets others through, and
// [Authenticator.Authenticate] does the same without middleware. A browser sends the cookie to a host of its own only
// if the other side sets it for the whole domain: see [CookieOptions].
//
// SameSite=Lax keeps the cookie from the requests of other sites, but not from their links: change nothing in a GET.
// Where that is not enough, as with SameSite=None or hosts of one domain that do not trust each other, put
// [http.CrossOriginProtection] around the middleware.
//
// Whatever a handler says of caching, what the middleware answers varies by the cookie, and an answer with a session
// cookie is for the one who asked. Where several Authenticators are around a handler, each decides for itself, and
// [FromContext] returns what the innermost one found.
//
// # What roles permit
//
// [Authenticator.RequirePermission] serves only whose role in the active organization grants what a route is for, in
// the same round trip; package permission has the plugins' default roles, and judges roles of the application's own.
//
// # Signing people in and out
//
// What this side makes, the other takes:
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
// [Cookies.NoStore] keeps such answers from every cache, around the handlers or around all:
//
//	handler := cookies.NoStore(mux)
//
// Hashing a password takes 32 MiB and some 100 ms, whoever asks for it. So [Hasher] makes few hashes at a time, and
// returns [ErrBusy] to callers who would wait too long. That protects the program, not an account: count attempts by
// address and sender first.
//
// With session.cookieCache the other side believes a copy in another cookie for some minutes more, whatever is deleted.
//
// # Errors
//
// They are told apart by [errors.Is], and show no secret, token, password or hash. [ErrUnauthenticated] is every reason
// why a request is not signed in: [ErrNoCookie], [ErrMalformedCookie], [ErrForgedCookie] and [ErrNoSession].
package betterauth
