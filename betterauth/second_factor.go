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
	trustDevice = "trust_device" // a trusted device and its user
)

// SecondFactorCookie returns the cookie by which the server's /two-factor routes find a challenge, for
// [http.SetCookie]. It lasts as long as the challenge: ten minutes, or three before 1.4.
func (c *Cookies) SecondFactorCookie(challenge authdb.Secret, lifetime time.Duration) *http.Cookie {
	return c.lasting(twoFactor, challenge, lifetime)
}

// TrustedDeviceCookie returns the cookie of a device on which a user needs no second factor, for [http.SetCookie]. The
// server's lasts for 30 days.
func (c *Cookies) TrustedDeviceCookie(device authdb.Secret, lifetime time.Duration) *http.Cookie {
	return c.lasting(trustDevice, device, lifetime)
}

func (c *Cookies) lasting(name string, value authdb.Secret, lifetime time.Duration) *http.Cookie {
	cookie := c.cookie(name, c.Sign(value))
	cookie.MaxAge = max(1, int(lifetime/time.Second))
	return cookie
}

// TrustedDevice returns the value of the request's cookie of a trusted device, for [Cookies.VerifyDevice]; empty if
// there is none that one of the secrets signed.
func (c *Cookies) TrustedDevice(r *http.Request) authdb.Secret {
	device, _ := c.read(r, trustDevice)
	return device
}

// SignDevice returns the value by which a user trusts a device: a signature of both ids, an exclamation mark, and the
// id of the device. Since 1.4 that is the identifier of a live verification whose value is the user's id.
func (c *Cookies) SignDevice(userID string, id authdb.Secret) authdb.Secret {
	return authdb.Secret(c.macs(userID + "!" + string(id))[0] + "!" + string(id))
}

// VerifyDevice returns the id of the device that a user trusts by a value, and whether one of the secrets signed that.
func (c *Cookies) VerifyDevice(userID string, device authdb.Secret) (id authdb.Secret, ok bool) {
	mac, rest, _ := strings.Cut(string(device), "!")
	name, _, _ := strings.Cut(rest, "!") // only the second part, as in JavaScript's split
	genuine := 0
	for _, want := range c.macs(userID + "!" + name) {
		genuine |= subtle.ConstantTimeCompare([]byte(want), []byte(mac))
	}
	return authdb.Secret(name), genuine == 1 && name != ""
}
