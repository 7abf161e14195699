// Package signin signs people in as a Better Auth server does, 1.3 to 1.7: by password, or by a link or a code in a
// mail. It also signs them up, resets and changes passwords, and verifies and changes addresses. Each is one call that
// takes values, works in the server's order and writes its rows, so that either side can go on with what the other
// began. It does not use HTTP; package betterauth makes the cookies.
//
//	flows := &signin.Flows{Store: store, Cookies: cookies, Version: betterauth.Version{1, 7, 25}}
//
// The example of the package is a route that signs in by password.
//
// Errors are told apart by [errors.Is], and show no address, token or password; those of the database are
// [authdb.Error]. Passwords, codes and tokens are [authdb.Secret], which nothing prints. Where the server's answer or
// its time reveals who has an account, this package may reveal it too, and says so; count attempts before.
//
// Under [authdb.Once], a second call returns [authdb.ErrAlreadyDone] if the first made or ended sessions, or made what
// a mail has: nobody can send that mail again. VerifyEmail without a session and ChangeEmailByCode return what the
// first call did, and RequestEmailChange sends its mail again. What a code or a link does takes two writes; the first
// uses up the code or the link. With the same code a second call does what is left. With the same link it cannot:
// ErrAlreadyDone only says that the link is used up. In [authdb.Store.InTx], SignInByLink is done as a whole.
//
// docs/better-auth.md lists what this package does differently from the server, and why.
package signin
