package stale

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

type joseHeader struct {
	Alg   string   `json:"alg"`
	Enc   string   `json:"enc"`
	KeyID string   `json:"kid"`
	Type  string   `json:"typ"`
	Crit  []string `json:"crit"`
	Zip   string   `json:"zip"`
}

// parts splits a compact serialization and decodes it. It refuses a header with extensions that this package lacks.
func parts(token string, n int) (header joseHeader, decoded [][]byte, ok bool) {
	texts := strings.Split(token, ".")
	if len(texts) != n {
		return header, nil, false
	}
	for _, text := range texts {
		part, err := strict.DecodeString(text)
		if err != nil {
			return header, nil, false
		}
		decoded = append(decoded, part)
	}
	err := json.Unmarshal(decoded[0], &header)
	return header, decoded, err == nil && header.Crit == nil && header.Zip == ""
}

// signedText is the text that a JWS signs.
func signedText(token string) []byte { return []byte(token[:strings.LastIndexByte(token, '.')]) }

// jwtOpener opens a JWS of HS256.
func jwtOpener(secret []byte) opener {
	return func(value string) ([]byte, time.Time, error) {
		header, decoded, ok := parts(value, 3)
		if !ok || header.Alg != "HS256" {
			return nil, time.Time{}, ErrMalformed
		}
		if !hmac.Equal(decoded[2], mac(secret, signedText(value))) {
			return nil, time.Time{}, ErrForged
		}
		return decoded[1], time.Time{}, nil
	}
}

// jwksOpener opens a JWS that is signed by one of the keys (1.7.25: dist/plugins/jwt/cookie-cache.mjs).
func jwksOpener(keys *Tokens, issuer string) opener {
	return func(value string) ([]byte, time.Time, error) {
		header, payload, err := keys.open(value)
		if err != nil {
			return nil, time.Time{}, err
		}
		var said struct {
			Iss, Sub, Sid string
			Aud           audience
			Session       struct{ Token string }
			User          struct{ ID string }
		}
		if json.Unmarshal(payload, &said) != nil {
			return nil, time.Time{}, ErrMalformed
		}
		if header.Type != "better-auth.session-cache+jwt" || !slices.Contains(said.Aud, "better-auth:session-cache") ||
			said.Iss != issuer || said.Sub != said.User.ID || said.Sid != said.Session.Token {
			return nil, time.Time{}, ErrMismatch
		}
		return payload, time.Time{}, nil
	}
}

// jweOpener opens a JWE of A256CBC-HS512, whose key is the shared one: its first half authenticates, the other decrypts
// (RFC 7518, 5.2).
func jweOpener(key []byte) opener {
	block, err := aes.NewCipher(key[32:])
	if err != nil {
		panic(err) // the key has the wrong length
	}
	return func(value string) ([]byte, time.Time, error) {
		header, decoded, ok := parts(value, 5)
		if !ok || header.Alg != "dir" || header.Enc != "A256CBC-HS512" || len(decoded[1]) != 0 {
			return nil, time.Time{}, ErrMalformed
		}
		additional, _, _ := strings.Cut(value, ".")
		iv, sealed, tag := decoded[2], decoded[3], decoded[4]
		h := hmac.New(sha512.New, key[:32])
		h.Write([]byte(additional))
		h.Write(iv)
		h.Write(sealed)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(additional))*8))
		if !hmac.Equal(tag, h.Sum(nil)[:32]) {
			return nil, time.Time{}, ErrForged
		}
		if len(iv) != aes.BlockSize || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
			return nil, time.Time{}, ErrMalformed
		}
		plain := make([]byte, len(sealed))
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, sealed)
		padding := int(plain[len(plain)-1])
		if padding < 1 || padding > aes.BlockSize { // only somebody with the key gets here
			return nil, time.Time{}, ErrMalformed
		}
		return plain[:len(plain)-padding], time.Time{}, nil
	}
}
