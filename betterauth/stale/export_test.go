package stale

import (
	"crypto/ed25519"
	"time"
)

// TokensOf are Tokens with those keys, by their ids, and no database.
func TokensOf(o TokenOptions, keys map[string]ed25519.PublicKey) *Tokens {
	t := &Tokens{options: o}
	known := map[string]publicKey{}
	for id, key := range keys {
		known[id] = publicKey{key, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	t.keys.Store(&known)
	return t
}
