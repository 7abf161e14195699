package authdb_test

import (
	"errors"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// lookalikes are addresses that look like one another, or become one another by some case mapping, and what
// JavaScript's toLowerCase makes of each. The other side stores and looks up that form, so two of them are one address
// just where it is the same.
//
// It is for KELVIN SIGN and k, the only pair of a character beyond ASCII and one of ASCII: toLowerCase folds them, and
// so does the other side's sign-up. So no address with a KELVIN SIGN is ever stored, and whoever types one reaches the
// user with the k; what is sent must go to the address of the row, not to what was typed. All other pairs are two
// addresses, those included that toUpperCase or PostgreSQL's lower() in a Turkish locale makes one.
var lookalikes = map[string]string{
	"k@x.io":              "k@x.io",
	"K@x.io":              "k@x.io",
	"\u212a@x.io":         "k@x.io", // KELVIN SIGN
	"i@x.io":              "i@x.io",
	"I@X.IO":              "i@x.io",
	"\u0131@x.io":         "\u0131@x.io",  // dotless i, whose upper case is I
	"\u0130@x.io":         "i\u0307@x.io", // I with a dot
	"i\u0307@x.io":        "i\u0307@x.io",
	"s@x.io":              "s@x.io",
	"\u017f@x.io":         "\u017f@x.io", // long s, whose upper case is S
	"ss@x.io":             "ss@x.io",
	"\u00df@x.io":         "\u00df@x.io", // sharp s, whose upper case is SS
	"\u1e9e@x.io":         "\u00df@x.io",
	"fi@x.io":             "fi@x.io",
	"\ufb01@x.io":         "\ufb01@x.io", // ligature
	"a@x.io":              "a@x.io",
	"\u0430@x.io":         "\u0430@x.io", // Cyrillic
	"\uff41@x.io":         "\uff41@x.io", // fullwidth
	"\uff21@x.io":         "\uff41@x.io",
	"\u00e5@x.io":         "\u00e5@x.io",
	"\u212b@x.io":         "\u00e5@x.io", // ANGSTROM SIGN
	"a\u030a@x.io":        "a\u030a@x.io",
	"caf\u00e9@x.io":      "caf\u00e9@x.io",
	"cafe\u0301@x.io":     "cafe\u0301@x.io",
	"a.b@x.io":            "a.b@x.io",
	"a\u2024b@x.io":       "a\u2024b@x.io", // one dot leader
	"ab@x.io":             "ab@x.io",
	"a+b@x.io":            "a+b@x.io",
	"ω@x.io":              "ω@x.io",
	"\u2126@x.io":         "ω@x.io", // OHM SIGN
	"ΟΔΟΣ@x.io":           "οδος@x.io",
	"οδοσ@x.io":           "οδοσ@x.io",
	"mike@example.org":    "mike@example.org",
	"m\u0131ke@e.org":     "m\u0131ke@e.org",
	"mi\u212ae@x.io":      "mike@x.io",
	"m\u0131\u212ae@x.io": "m\u0131ke@x.io",
	"k@\u212a.io":         "k@k.io",
}

// TestLookalikesAreOneAddressAsInJavaScript stores each address and looks each up: it finds the user of the same
// lower-case form and no other.
func TestLookalikesAreOneAddressAsInJavaScript(t *testing.T) {
	t.Parallel()
	store, ctx := authdbtest.New(t), t.Context()
	org := authdbtest.Organization(t, store)
	users := map[string]string{} // ids by address
	for _, lower := range lookalikes {
		if users[lower] == "" {
			user := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.Email = lower })
			authdbtest.Member(t, store, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.UserID = org.ID, user.ID })
			users[lower] = user.ID
		}
	}
	pairs := 0
	for form, lower := range lookalikes {
		if _, err := store.Users.Create(ctx, authdb.CreateUserParams{Email: form}); !errors.Is(err, authdb.ErrEmailTaken) {
			t.Errorf("%+q beside %+q: %v", form, lower, err)
		}
		member := kit.Must[authdb.Member](t)(store.Members.GetByEmail(ctx, org.ID, form))
		for method, user := range map[string]authdb.User{
			"Users.GetByEmail":   kit.Must[authdb.User](t)(store.Users.GetByEmail(ctx, form)),
			"Users.VerifyEmail":  kit.Must[authdb.VerifiedUser](t)(store.Users.VerifyEmail(ctx, users[lower], authdb.VerifyEmailParams{Email: form})).User,
			"Users.SetEmail":     kit.Must[authdb.User](t)(store.Users.SetEmail(ctx, users[lower], authdb.SetEmailParams{Email: form, Verified: true})),
			"Members.GetByEmail": kit.Must[authdb.MemberWithUser](t)(store.Members.GetWithUser(ctx, org.ID, member.ID)).User,
		} {
			if user.ID != users[lower] || user.Email != lower {
				t.Errorf("%s: %+q finds %+q, not %+q", method, form, user.Email, lower)
			}
			pairs += len(users)
		}
	}
	for lower, id := range users {
		if user := kit.Must[authdb.User](t)(store.Users.Get(ctx, id)); user.Email != lower {
			t.Errorf("%+q has become %+q", lower, user.Email)
		}
	}
	t.Logf("%d addresses of %d users, %d pairs looked at", len(lookalikes), len(users), pairs)
}
