package betterauth

// NewWeakCookies is NewCookies with a secret that it refuses.
func NewWeakCookies(secret string) *Cookies {
	c, err := NewCookies(CookieOptions{}, "a secret that is not for tests alone")
	if err == nil {
		c.signers = []signer{newSigner(secret)}
	}
	return c
}
