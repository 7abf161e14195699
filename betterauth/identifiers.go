package betterauth

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/repo"
)

// NewID returns 32 characters of a-zA-Z0-9, all equally likely, as Better Auth makes the ids of all tables and its
// session tokens (1.3.34 to 1.7.25: generateId). The repositories of authdb make their own; this is for other tables.
func NewID() string { return repo.RandomID() }

// Version is the version of a Better Auth server, such as Version{1, 7, 25}. Its methods return the identifiers under
// which that version looks up rows in the verification table; versions differ in them. They were compared with the
// sources of 1.3.34, 1.4.22, 1.5.6, 1.6.34 and of 1.7 up to 1.7.25. E-mail verification has no row: its token is a JWT.
//
// A server with verification.storeIdentifier looks up [HashedIdentifier] of these. E-mail addresses must be in lower
// case, as in the user table.
type Version [3]int

func (v Version) before(o Version) bool { return slices.Compare(v[:], o[:]) < 0 }

// ResetPassword is the identifier of a password reset, whose value is the user's id and whose token has 24 characters:
// reset-password:<token> in all versions (1.7.25: dist/api/routes/password.mjs).
func (v Version) ResetPassword(token string) authdb.Secret {
	return authdb.Secret("reset-password:" + token)
}

// DeleteAccount is the identifier of an account's deletion by e-mail, whose value is the user's id:
// delete-account-<token> in all versions (1.7.25: dist/api/routes/update-user.mjs).
func (v Version) DeleteAccount(token string) authdb.Secret {
	return authdb.Secret("delete-account-" + token)
}

// OTPType is what a one-time password by e-mail is for (1.7.25: dist/plugins/email-otp/routes.mjs).
type OTPType string

// The types of [Version.EmailOTP].
const (
	OTPSignIn            OTPType = "sign-in"
	OTPEmailVerification OTPType = "email-verification"
	OTPForgetPassword    OTPType = "forget-password"
	OTPChangeEmail       OTPType = "change-email" // since 1.5; its identifier is [Version.ChangeEmailOTP]
)

// EmailOTP is the identifier of a one-time password by e-mail, whose value is the password, a colon and the number of
// failed attempts: <type>-otp-<email> in all versions (1.7.25: dist/plugins/email-otp/utils.mjs).
func (v Version) EmailOTP(of OTPType, email string) authdb.Secret {
	return authdb.Secret(string(of) + "-otp-" + email)
}

// ChangeEmailOTP is the identifier of the one-time password that changes an address, since 1.5:
// change-email-otp-<email>-<new email>, and from 1.7.16 on change-email-otp-<user id>:<new email> (1.7.15 and 1.7.16:
// dist/plugins/email-otp/routes.mjs).
func (v Version) ChangeEmailOTP(userID, email, newEmail string) authdb.Secret {
	if v.before(Version{1, 7, 16}) {
		return authdb.Secret("change-email-otp-" + email + "-" + newEmail)
	}
	return authdb.Secret("change-email-otp-" + userID + ":" + newEmail)
}

// MagicLink is the identifier of a link that signs in, whose value is JSON: the token, and from 1.7.7 on
// magic-link:<token> (1.7.6 and 1.7.7: dist/plugins/magic-link/index.mjs). With the plugin's storeToken "hashed", its
// token is [HashedIdentifier] of the one in the link.
func (v Version) MagicLink(token string) authdb.Secret {
	if v.before(Version{1, 7, 7}) {
		return authdb.Secret(token)
	}
	return authdb.Secret("magic-link:" + token)
}

// AuthState is the identifier of a sign-in that is under way at another provider, whose value is JSON: the state, and
// from 1.7.7 on auth-state:<state> (1.7.6: dist/state.mjs, 1.7.25: @better-auth/core dist/utils/state.mjs).
func (v Version) AuthState(state string) authdb.Secret {
	if v.before(Version{1, 7, 7}) {
		return authdb.Secret(state)
	}
	return authdb.Secret("auth-state:" + state)
}

// PhoneOTP is the identifier of a one-time password by phone: the number, and from 1.7.16 on
// phone-number-otp-<number> (1.7.15 and 1.7.16: dist/plugins/phone-number/routes.mjs).
func (v Version) PhoneOTP(number string) authdb.Secret {
	if v.before(Version{1, 7, 16}) {
		return authdb.Secret(number)
	}
	return authdb.Secret("phone-number-otp-" + number)
}

// PhoneReset is the identifier of a password reset by phone: <number>-request-password-reset, and from 1.7.16 on
// phone-number-reset-<number> (1.7.15 and 1.7.16: dist/plugins/phone-number/routes.mjs).
func (v Version) PhoneReset(number string) authdb.Secret {
	if v.before(Version{1, 7, 16}) {
		return authdb.Secret(number + "-request-password-reset")
	}
	return authdb.Secret("phone-number-reset-" + number)
}

// HashedIdentifier is what a server with verification.storeIdentifier "hashed" stores in place of an identifier, since
// 1.5: its SHA-256 in base64url without padding (1.7.25: dist/db/verification-token-storage.mjs).
func HashedIdentifier(identifier authdb.Secret) authdb.Secret {
	sum := sha256.Sum256([]byte(identifier))
	return authdb.Secret(base64.RawURLEncoding.EncodeToString(sum[:]))
}
