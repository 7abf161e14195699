package repo

import "crypto/rand"

const (
	idLength   = 32
	idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// RandomID returns 32 characters of a-zA-Z0-9, all equally likely: 190 bits, in the form of Better Auth's own ids and
// session tokens.
func RandomID() string { return random(idLength, idAlphabet) }

// RandomLetters returns n characters of a-zA-Z, all equally likely.
func RandomLetters(n int) string { return random(n, idAlphabet[:52]) }

func random(n int, alphabet string) string {
	// Only bytes below the largest multiple count; otherwise the first letters would come more often.
	usable := 256 - 256%len(alphabet)
	text := make([]byte, 0, n)
	var random [idLength + idLength/4]byte
	for {
		_, _ = rand.Read(random[:]) // never fails: it would end the program
		for _, b := range random {
			if int(b) < usable {
				if text = append(text, alphabet[int(b)%len(alphabet)]); len(text) == n {
					return string(text)
				}
			}
		}
	}
}

// NewID is that of a new row.
func (r *Repo) NewID() string { return r.sources.ID() }

// idOr returns the caller's id for a new row, or makes one.
func (r *Repo) idOr(id string) string {
	if id != "" {
		return id
	}
	return r.sources.ID()
}
