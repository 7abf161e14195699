// Package signin is sign-in and its like as a Better Auth server does them, 1.3 to 1.7: by password, by a link or a
// code in a mail, sign-up, reset and change of a password, proof and change of an address. Each is one call that takes
// values, in the server's order and with its rows, so that either side can go on with what the other began. It knows no
// HTTP: what the browser gets, package betterauth makes.
//
//	flows := &signin.Flows{Store: store, Cookies: cookies, Version: betterauth.Version{1, 7, 25}}
//
// The example of the package is a route that signs in by password.
//
// Errors are told apart by [errors.Is], and show no address, token or password; those of the database are
// [authdb.Error]. Passwords, codes and tokens are [authdb.Secret], which nothing prints. Where the server tells who has
// an account by its answer or its time, so does this package where it says so; count attempts before.
//
// Under [authdb.Once], a second call is [authdb.ErrAlreadyDone] where the first made a session or ended some, or made
// what a mail has: nobody can send that mail again. VerifyEmail returns what the first did, and RequestEmailChange
// sends its mail again. SignInByCode and SignInByLink write twice, first that the code or the link is used up. By the
// same code a second call does what is left of that. By the same link it cannot: ErrAlreadyDone says no more than that
// the link is used up. In [authdb.Store.InTx], SignInByLink is done as a whole.
//
// What it does in another way than the server, and why, is listed in docs/better-auth.md.
package signin
