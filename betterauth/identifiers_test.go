package betterauth_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/betterauth"
)

func TestNewID(t *testing.T) {
	form, seen := regexp.MustCompile(`^[a-zA-Z0-9]{32}$`), map[string]bool{}
	for range 1000 {
		id := betterauth.NewID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("got %s", id)
		}
		seen[id] = true
	}
}

func TestIdentifiers(t *testing.T) {
	identifiers := func(v betterauth.Version) string {
		return strings.Join([]string{
			string(v.ResetPassword("T")), string(v.DeleteAccount("T")),
			string(v.EmailOTP(betterauth.OTPSignIn, "E")), string(v.EmailOTP(betterauth.OTPEmailVerification, "E")), string(v.EmailOTP(betterauth.OTPForgetPassword, "E")),
			string(v.ChangeEmailOTP("U", "E", "N")), string(v.MagicLink("T")), string(v.AuthState("S")), string(v.PhoneOTP("+1")), string(v.PhoneReset("+1")),
		}, " ")
	}
	const always = "reset-password:T delete-account-T sign-in-otp-E email-verification-otp-E forget-password-otp-E "
	const (
		until176  = always + "change-email-otp-E-N T S +1 +1-request-password-reset"
		until1715 = always + "change-email-otp-E-N magic-link:T auth-state:S +1 +1-request-password-reset"
		newest    = always + "change-email-otp-U:N magic-link:T auth-state:S phone-number-otp-+1 phone-number-reset-+1"
	)
	for v, want := range map[betterauth.Version]string{
		{}: until176, {1, 3, 34}: until176, {1, 6, 34}: until176, {1, 7, 0}: until176, {1, 7, 6}: until176,
		{1, 7, 7}: until1715, {1, 7, 15}: until1715, {1, 7, 16}: newest, {1, 7, 25}: newest, {1, 8, 0}: newest, {2, 0, 0}: newest,
	} {
		if got := identifiers(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	// echo -n reset-password:T | openssl dgst -sha256 -binary | basenc --base64url
	if got := betterauth.HashedIdentifier("reset-password:T"); got != "c_9bGPXUetnDHXOBKYYTCwHeLl_vAiR5d8UVOzh3PRg" {
		t.Errorf("hashed: %s", got)
	}
}

// The identifiers of the rows that real servers wrote.
func TestIdentifiersOfRows(t *testing.T) {
	for text, v := range map[string]betterauth.Version{"1.6.34": {1, 6, 34}, "1.7.25": {1, 7, 25}} {
		data, err := os.ReadFile("../testdata/better-auth-" + text + "/data.sql")
		if err != nil {
			t.Fatal(err)
		}
		_, rows, _ := strings.Cut(string(data), `INSERT INTO "verification"`)
		rows, _, _ = strings.Cut(rows, "\n\n")
		resets, states := 0, 0
		for _, row := range regexp.MustCompile(`(?m)^\('[^']*', '(?:[a-z-]+:)?([\w-]+)', '([^']*)'`).FindAllStringSubmatch(rows, -1) {
			switch {
			case strings.Contains(row[0], "'"+string(v.ResetPassword(row[1]))+"'"):
				resets++
			case strings.Contains(row[0], "'"+string(v.AuthState(row[1]))+"'") && strings.Contains(row[2], `"oauthState":"`+row[1]+`"`):
				states++
			default:
				t.Errorf("%s: %s", text, row[0])
			}
		}
		if resets != 6 || states != 1 {
			t.Errorf("%s: %d resets, %d states", text, resets, states)
		}
	}
}
