package repo

import "crypto/rand"

const (
	idLength   = 32
	idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// RandomID returns 32 characters of a-zA-Z0-9, all equally likely: 190 bits, in the form of Better Auth's own ids and
// session tokens.
func RandomID() string {
	// A byte counts only below the largest multiple of 62, else the first letters would come more often.
	const usable = 256 - 256%len(idAlphabet)
	id := make([]byte, 0, idLength)
	var random [idLength + idLength/4]byte
	for {
		_, _ = rand.Read(random[:]) // never fails: it ends the program instead
		for _, b := range random {
			if int(b) < usable {
				if id = append(id, idAlphabet[int(b)%len(idAlphabet)]); len(id) == idLength {
					return string(id)
				}
			}
		}
	}
}

// idOr returns the caller's id of a new row, or else makes one.
func (r *Repo) idOr(id string) string {
	if id != "" {
		return id
	}
	return r.sources.ID()
}
