package signin

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/repo"
)

// The refusals of a flow, beside [authdb.ErrBanned], [authdb.ErrEmailNotVerified], [authdb.ErrEmailTaken],
// [authdb.ErrTooManyAttempts], [authdb.ErrInvalidInput] and the errors of [betterauth.Hasher].
var (
	// ErrInvalidCredentials: nobody has the address, or its user has another password or none.
	ErrInvalidCredentials = errors.New("invalid e-mail or password")
	// ErrSecondFactor: the password is right, and a second factor is needed. The error is also a [*SecondFactorError].
	ErrSecondFactor = errors.New("second factor needed")
	// ErrInvalidToken: a token is unknown, used up or expired, or the user no longer has the address in it.
	ErrInvalidToken = errors.New("invalid token")
	// ErrInvalidCode: a code is wrong, which counts as a guess, or unknown, used up or expired.
	ErrInvalidCode = errors.New("invalid code")
	// ErrSignUpDisabled: nobody has the address, and [Flows.DisableSignUp] is set.
	ErrSignUpDisabled = errors.New("sign-up disabled")
	// ErrNoPassword: the user has none to change.
	ErrNoPassword = errors.New("no password")
)

// refusals maps the words of this package's verdicts to errors.
var refusals = map[repo.RefusalError]error{
	"wrong password": ErrInvalidCredentials, "invalid token": ErrInvalidToken, "nobody": ErrSignUpDisabled,
}

// SecondFactorError is an [ErrSecondFactor] with what the web application needs to go on. Give the browser
// [betterauth.Cookies.SecondFactorCookie] of the two fields, and [betterauth.Cookies.DontRememberCookie] if the user is
// not to be remembered, and redirect it to where the application asks for the factor. The server then makes the
// session.
type SecondFactorError struct {
	UserID    string
	Challenge authdb.Secret
	Lifetime  time.Duration
}

// Error reveals nothing of the user.
func (e *SecondFactorError) Error() string {
	return "authdb: signin.Password: " + ErrSecondFactor.Error()
}

// Unwrap returns [ErrSecondFactor].
func (e *SecondFactorError) Unwrap() error { return ErrSecondFactor }

// Flows sign people in and up as a Better Auth server does, on the same rows. Its fields are the server's options, and
// must agree with them. It is safe for concurrent use, and must not be changed after its first use.
type Flows struct {
	Store   *authdb.Store
	Cookies *betterauth.Cookies // with the server's secret; signs mail tokens and trusted devices
	Hasher  *betterauth.Hasher  // nil: one with Better Auth's limits, shared by all such Flows of the program
	// Version is the server's. It decides what verifying an address deletes, the form of codes and links, and the errors
	// of a sign-up. Zero: 1.7.25.
	Version betterauth.Version
	// Send sends a mail, outside of any transaction. Let it only queue: the time that it takes reveals who has an account.
	// nil: [Flows.SignUp] and [Flows.Password] send none, and what is for a mail alone is authdb.ErrInvalidInput.
	Send func(ctx context.Context, m Mail) error

	RequireEmailVerification bool // emailAndPassword.requireEmailVerification
	DisableAutoSignIn        bool // emailAndPassword.autoSignIn is false
	RevokeSessionsOnReset    bool // emailAndPassword.revokeSessionsOnPasswordReset
	SendOnSignIn             bool // emailVerification.sendOnSignIn
	SendOnSignUp             bool // emailVerification.sendOnSignUp; RequireEmailVerification does, too
	UpdateUnverifiedEmail    bool // user.changeEmail.updateEmailWithoutVerification
	ConfirmEmailChange       bool // user.changeEmail.sendChangeEmailConfirmation is set
	DisableSignUp            bool // disableSignUp of the plugins magic-link and email-otp
	HashIdentifiers          bool // verification.storeIdentifier is "hashed"
	SignInAfterVerification  bool // emailVerification.autoSignInAfterVerification
	VerifyCurrentEmail       bool // changeEmail.verifyCurrentEmail of email-otp
	HashCodes                bool // storeOTP of email-otp is "hashed"
	HashLinks                bool // storeToken of magic-link is "hashed"

	// EncryptCode and DecryptCode are storeOTP of email-otp where that is encrypt and decrypt. With "encrypted" the server
	// has XChaCha20-Poly1305 (golang.org/x/crypto/chacha20poly1305) with the SHA-256 of its secret for the key, as nonce
	// and box in hexadecimal digits; with several secrets behind "$ba$", the version of the secret and "$".
	EncryptCode, DecryptCode func(code authdb.Secret) (authdb.Secret, error)

	// TrustedProxies are advanced.ipAddress.trustedProxies, since 1.6.
	TrustedProxies []netip.Prefix
}

// MailKind is what a mail is for.
type MailKind string

// The kinds of [Mail].
const (
	MailVerification MailKind = "verification" // a token for VerifyEmail or the server's /verify-email
	MailChange       MailKind = "change"       // the same, to the address that the user wants to give up
	MailReset        MailKind = "reset"        // a token for ResetPassword or the server's /reset-password
	MailCode         MailKind = "code"         // a code for what Mail.For says, such as SignInByCode
	MailLink         MailKind = "link"         // a token for SignInByLink or the server's /magic-link/verify
)

// Mail is a mail to send.
type Mail struct {
	Kind   MailKind
	To     string
	UserID string // empty if nobody has the address, and for a link, which does not look
	Token  authdb.Secret
	NewTo  string             // for a MailChange, the address that the user wants
	For    betterauth.OTPType // for a MailCode
}

// Client is what a session stores about who signed in.
type Client struct {
	IPAddress string // as ClientIP returns it; empty if not known; at most 255 characters
	UserAgent string // as sent; empty if not known; at most 16,384 characters
}

func (c Client) faults() []bridge.Fault {
	return []bridge.Fault{
		bridge.Text("ip_address", c.IPAddress, 255), bridge.Text("user_agent", c.UserAgent, 16<<10),
	}
}

// SignedIn is a user and the session of the sign-in.
type SignedIn struct {
	User    authdb.User
	Session authdb.Session
	// Device is the value for betterauth.Cookies.TrustedDeviceCookie; empty unless a trusted device replaced the second
	// factor.
	Device authdb.Secret
	// Ended are the tokens of sessions that ended, in no order, for caches to forget.
	Ended []authdb.Secret
}

// Better Auth's default lifetimes.
const (
	ResetLifetime  = time.Hour
	CodeLifetime   = 5 * time.Minute
	LinkLifetime   = 5 * time.Minute
	DeviceLifetime = 30 * 24 * time.Hour // of a trusted device
	BriefLifetime  = 24 * time.Hour      // of a session without "remember me"
)

// isAddress is the server's form of an address (zod 4.6.7: v4/core/regexes.js). All its letters are ASCII.
var isAddress = regexp.MustCompile(
	`^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$`).MatchString

// maxAddress is the most that an index can hold.
const maxAddress = 2048

// address checks an address and returns it as it is stored.
func address(field, s string) (string, bridge.Fault) {
	f := bridge.Required(field, s, maxAddress)
	if f.Reason == "" && !isAddress(s) {
		f = bridge.Fault{Field: field, Reason: "malformed"}
	}
	return strings.ToLower(s), f
}

func (f *Flows) repo() *repo.Repo { return bridge.Repo(f.Store) }

var defaultHasher betterauth.Hasher

func (f *Flows) hasher() *betterauth.Hasher {
	if f.Hasher != nil {
		return f.Hasher
	}
	return &defaultHasher
}

// before reports whether the server's version is before 1.minor.
func (f *Flows) before(minor int) bool { return f.version()[0] == 1 && f.version()[1] < minor }

func (f *Flows) version() betterauth.Version {
	if f.Version == (betterauth.Version{}) {
		return betterauth.Version{1, 7, 25}
	}
	return f.Version
}

// stored returns an identifier as the table has it.
func (f *Flows) stored(identifier authdb.Secret) authdb.Secret {
	if f.HashIdentifiers {
		return betterauth.HashedIdentifier(identifier)
	}
	return identifier
}

// needs checks that a field is set.
func needs(field string, isSet bool) bridge.Fault {
	if !isSet {
		return bridge.Fault{Field: field, Reason: "nil"}
	}
	return bridge.Fault{}
}

// fail returns one of this package's errors.
func fail(op string, kind error) error {
	return bridge.Error(op, repo.RefusalError("failed"), map[repo.RefusalError]error{"failed": kind})
}

// again returns err, or ErrAlreadyDone if an earlier call under the same key of Once, which was given the same, is the
// reason.
func again[P any](ctx context.Context, f *Flows, op string, given P, err error) error {
	if said := repo.Again(ctx, f.repo(), op, given, err); said != err { //nolint:errorlint // err itself, or another
		return bridge.Error(op, said, nil)
	}
	return err
}

// secrets converts texts.
func secrets(texts []string) []authdb.Secret {
	all := make([]authdb.Secret, len(texts))
	for i, text := range texts {
		all[i] = authdb.Secret(text)
	}
	return all
}
