package betterauth

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
)

// The names of the two-factor plugin's cookies (1.3.34 to 1.7.25: dist/plugins/two-factor).
const (
	twoFactor   = "two_factor"   // the identifier of a challenge
	trustDevice = "trust_device" // who trusts which device
)

// SecondFactorCookie returns the cookie by which the server's /two-factor routes find a challenge, for
// [http.SetCookie]. It lasts as long as the challenge: ten minutes, and three before 1.4.
func (c *Cookies) SecondFactorCookie(challenge authdb.Secret, lifetime time.Duration) *http.Cookie {
	return c.lasting(twoFactor, challenge, lifetime)
}

// TrustedDeviceCookie returns the cookie of a device on which a user need not show a second factor, for
// [http.SetCookie]. The server has it last for 30 days.
func (c *Cookies) TrustedDeviceCookie(device authdb.Secret, lifetime time.Duration) *http.Cookie {
	return c.lasting(trustDevice, device, lifetime)
}

func (c *Cookies) lasting(name string, value authdb.Secret, lifetime time.Duration) *http.Cookie {
	cookie := c.cookie(name, c.Sign(value))
	cookie.MaxAge = max(1, int(lifetime/time.Second))
	return cookie
}

// TrustedDevice returns the value of the request's cookie of a trusted device, for [Cookies.VerifyDevice]; empty where
// there is none that one of the secrets signed.
func (c *Cookies) TrustedDevice(r *http.Request) authdb.Secret {
	device, _ := c.read(r, trustDevice)
	return device
}

// SignDevice returns the value by which a user trusts a device: a signature of the two ids, an exclamation mark, and
// the id of the device, which since 1.4 is the identifier of a live verification with the user's id for its value.
func (c *Cookies) SignDevice(userID string, id authdb.Secret) authdb.Secret {
	return authdb.Secret(c.macs(userID + "!" + string(id))[0] + "!" + string(id))
}

// VerifyDevice returns the id of the device that a user trusts by that value, and whether one of the secrets signed it.
func (c *Cookies) VerifyDevice(userID string, device authdb.Secret) (id authdb.Secret, ok bool) {
	mac, rest, _ := strings.Cut(string(device), "!")
	name, _, _ := strings.Cut(rest, "!") // as JavaScript's split takes the second part
	genuine := 0
	for _, want := range c.macs(userID + "!" + name) {
		genuine |= subtle.ConstantTimeCompare([]byte(want), []byte(mac))
	}
	return authdb.Secret(name), genuine == 1 && name != ""
}
