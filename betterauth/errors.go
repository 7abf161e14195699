package betterauth

import (
	"errors"
	"fmt"
)

// The failures that callers tell apart with [errors.Is]. None shows a token, a secret, a password or a hash.
var (
	// ErrUnauthenticated: nothing in the request signs it in. The next four say why.
	ErrUnauthenticated = errors.New("betterauth: unauthenticated")
	// ErrNoCookie: the request has no session cookie, nor a bearer token that counts.
	ErrNoCookie = fmt.Errorf("%w: no session cookie", ErrUnauthenticated)
	// ErrMalformedCookie: what was sent does not have the form of a signed token.
	ErrMalformedCookie = fmt.Errorf("%w: malformed cookie", ErrUnauthenticated)
	// ErrForgedCookie: the signature is not made by any of the secrets.
	ErrForgedCookie = fmt.Errorf("%w: forged cookie", ErrUnauthenticated)
	// ErrNoSession: the token is genuine, but its session is unknown, revoked or expired.
	ErrNoSession = fmt.Errorf("%w: no live session", ErrUnauthenticated)

	// ErrInvalidMailToken: the token of a mail is forged, malformed, or names no user.
	ErrInvalidMailToken = errors.New("betterauth: invalid mail token")
	// ErrMailTokenExpired: the token of a mail is genuine, and came too late. It is an ErrInvalidMailToken.
	ErrMailTokenExpired = fmt.Errorf("%w: expired", ErrInvalidMailToken)

	// ErrForbidden: the signed-in user has no role that grants what [Authenticator.RequirePermission] wants.
	ErrForbidden = errors.New("betterauth: forbidden")

	// ErrInvalidOption: [NewCookies] was given no secret, one that can be guessed, or options that make no valid cookie.
	ErrInvalidOption = errors.New("betterauth: invalid option")

	// ErrBusy: [Hasher.MaxWaiting] callers are already waiting to hash a password. Later it may work; [WriteError] says
	// so.
	ErrBusy = errors.New("betterauth: busy")
	// ErrMalformedHash: a stored password hash is not one of Better Auth's. Only [CheckHash] returns it.
	ErrMalformedHash = errors.New("betterauth: malformed password hash")
	// ErrInvalidPassword: a password cannot be one. The next two say why; otherwise it is not UTF-8, or has more than 30
	// combining marks in a row.
	ErrInvalidPassword = errors.New("betterauth: invalid password")
	// ErrPasswordTooShort: a new password is shorter than [Hasher.MinLength].
	ErrPasswordTooShort = fmt.Errorf("%w: too short", ErrInvalidPassword)
	// ErrPasswordTooLong: a password is longer than [Hasher.MaxLength].
	ErrPasswordTooLong = fmt.Errorf("%w: too long", ErrInvalidPassword)
)
