package betterauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/zerostarter/authdb"
	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

// Better Auth's cost: 128*N*r bytes, so 32 MiB for each hash (@better-auth/utils 0.5.1: dist/password.node.mjs).
const (
	scryptN = 16384
	scryptR = 16
	scryptP = 1

	saltLength = 32 // hexadecimal digits, given to scrypt as text
	keyLength  = 64 // bytes, stored as hexadecimal digits
)

// Hasher hashes and verifies passwords as Better Auth 1.3 to 1.7 does: what one side stores, the other verifies. Only
// passwords with more than 30 combining marks in a row are refused here. The zero value has Better Auth's limits. A
// Hasher is safe for concurrent use, and must not be copied or changed after its first use.
type Hasher struct {
	// Concurrency is how many hashes are made at a time; other calls wait. Each takes 32 MiB and a processor for some
	// 100 ms. Zero: GOMAXPROCS, at most 4.
	Concurrency int
	// MaxWaiting is how many calls may wait at a time, first come, first served; one more gets [ErrBusy]. Zero: 16 times
	// Concurrency, so that nobody waits for more than some seconds. Negative: none.
	MaxWaiting int
	// MinLength and MaxLength are the server's emailAndPassword.minPasswordLength and maxPasswordLength, in UTF-16 code
	// units as JavaScript counts them. Zero: 8 and 128.
	MinLength, MaxLength int

	once    sync.Once
	slots   chan struct{} // one for each hash that is being made; calls get them in turn
	tickets chan struct{} // one for each of these, and for each call that waits

	derive func(password, salt []byte) ([]byte, error) // nil: scrypt
}

var defaultHasher Hasher

// HashPassword is [Hasher.Hash] of the zero Hasher, which the whole program shares.
func HashPassword(ctx context.Context, password string) (authdb.Secret, error) {
	return defaultHasher.Hash(ctx, password)
}

// VerifyPassword is [Hasher.Verify] of the Hasher that [HashPassword] uses.
func VerifyPassword(ctx context.Context, hash *authdb.Secret, password string) (bool, error) {
	return defaultHasher.Verify(ctx, hash, password)
}

// Hash returns what to store for a password, in an account whose provider id is credential and whose account id is the
// user's id. It returns [ErrPasswordTooShort], [ErrPasswordTooLong], [ErrInvalidPassword] if it is not UTF-8 or has
// more than 30 combining marks in a row, [ErrBusy], or the context's error if that ends while others hash.
func (h *Hasher) Hash(ctx context.Context, password string) (authdb.Secret, error) {
	if err := h.Check(password); err != nil {
		return "", err
	}
	var random [saltLength / 2]byte
	_, _ = rand.Read(random[:]) // never fails: it would end the program
	salt := hex.EncodeToString(random[:])
	key, err := h.key(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return authdb.Secret(salt + ":" + hex.EncodeToString(key)), nil
}

// Check returns the error of [Hasher.Hash] for a password that it would refuse: [ErrPasswordTooShort],
// [ErrPasswordTooLong] or [ErrInvalidPassword].
func (h *Hasher) Check(password string) error {
	if err := h.check(password); err != nil {
		return err
	}
	if utf16Length(password) < orDefault(h.MinLength, 8) {
		return ErrPasswordTooShort
	}
	return nil
}

// noSalt is the salt if there is no hash, or none that can be read.
const noSalt = "00000000000000000000000000000000"

// Verify reports whether the hash is the password's, in any of the spellings that NFKC makes equal. If there is no
// hash, because nobody has the address or the user has no password, call it with nil: it takes as long and reports
// false, as for a wrong password. It also does so for a hash that is not Better Auth's; [CheckHash] tells these.
//
// It returns [ErrPasswordTooLong], [ErrInvalidPassword] if the password is not UTF-8 or has more than 30 combining
// marks in a row, which the server takes and this package cannot, [ErrBusy], or the context's error if that ends while
// others hash. There is no minimum, since the password may be older than that.
//
// Neither the time nor the error reveals anything about the hash, not even whether there is one: unless busy or
// canceled, each call derives one key from input of bounded length.
func (h *Hasher) Verify(ctx context.Context, hash *authdb.Secret, password string) (bool, error) {
	salt, want, noHash := noSalt, []byte(nil), ErrMalformedHash
	if hash != nil {
		salt, want, noHash = parseHash(string(*hash))
	}
	if noHash != nil {
		salt, want = noSalt, make([]byte, keyLength)
	}
	refused := h.check(password)
	if refused != nil {
		password = ""
	}
	key, err := h.key(ctx, password, salt)
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(key, want) == 1
	return same && noHash == nil && refused == nil, refused
}

// CheckHash returns [ErrMalformedHash] unless a stored hash has the form of Better Auth's. [Hasher.Verify] treats a
// malformed hash as a wrong password, since whoever signs in must not learn of it. CheckHash is for audits, and for
// programs that verify hashes of another kind themselves.
func CheckHash(hash authdb.Secret) error {
	_, _, err := parseHash(string(hash))
	return err
}

// check refuses what would cost time, or what the server could never have hashed.
func (h *Hasher) check(password string) error {
	limit := orDefault(h.MaxLength, 128)
	switch {
	case len(password) > 3*limit: // a code unit takes up to three bytes
		return ErrPasswordTooLong
	case !utf8.ValidString(password):
		return fmt.Errorf("%w: not UTF-8", ErrInvalidPassword)
	case utf16Length(password) > limit:
		return ErrPasswordTooLong
	// Package norm inserts U+034F into such a row, and JavaScript does not: neither side could verify the other's hash.
	case strings.Count(norm.NFKC.String(password), "\u034f") != strings.Count(password, "\u034f"):
		return fmt.Errorf("%w: more than 30 combining marks in a row", ErrInvalidPassword)
	}
	return nil
}

// key derives the key when it is its turn.
func (h *Hasher) key(ctx context.Context, password, salt string) ([]byte, error) {
	h.once.Do(h.open)
	if err := ctx.Err(); err != nil { // select would pick either case
		return nil, fmt.Errorf("betterauth: hash password: %w", err)
	}
	select {
	case h.tickets <- struct{}{}:
		defer func() { <-h.tickets }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("betterauth: hash password: %w", ctx.Err())
	}
	return h.derive(norm.NFKC.Bytes([]byte(password)), []byte(salt))
}

func (h *Hasher) open() {
	atATime := orDefault(h.Concurrency, min(runtime.GOMAXPROCS(0), 4))
	waiting := h.MaxWaiting
	if waiting == 0 {
		waiting = 16 * atATime
	}
	h.slots, h.tickets = make(chan struct{}, atATime), make(chan struct{}, atATime+max(0, waiting))
	if h.derive == nil {
		h.derive = func(password, salt []byte) ([]byte, error) {
			return scrypt.Key(password, salt, scryptN, scryptR, scryptP, keyLength)
		}
	}
}

// parseHash splits a stored hash: 32 hexadecimal digits, a colon, 128 more, all in lower case.
func parseHash(hash string) (salt string, key []byte, err error) {
	if len(hash) != saltLength+1+2*keyLength || hash[saltLength] != ':' {
		return "", nil, ErrMalformedHash
	}
	salt, digits := hash[:saltLength], hash[saltLength+1:]
	if !isHex(salt) || !isHex(digits) {
		return "", nil, ErrMalformedHash
	}
	key, err = hex.DecodeString(digits)
	return salt, key, err
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// utf16Length is JavaScript's length of a string.
func utf16Length(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func orDefault(n, byDefault int) int {
	if n <= 0 {
		return byDefault
	}
	return n
}
