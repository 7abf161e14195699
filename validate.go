package authdb

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what is written, in characters. The database has only that of its indexes (2,704 bytes), whose error names
// no field; what passes here fits them. What is looked up may be as long as a row can hold, since others write it, too.
const (
	maxKey        = 2704
	maxID         = 255 // ids, provider ids and an account's id at its provider
	maxToken      = 512 // session tokens and verification identifiers
	maxEmail      = 254
	maxSlug       = 63
	maxName       = 255
	maxURL        = 2048
	maxIPAddress  = 255
	maxUserAgent  = 1024
	maxRole       = 1024
	maxCredential = 16 << 10 // an account's tokens, scope and password hash, an invitation's list of teams
	maxMetadata   = 64 << 10
	maxValue      = 64 << 10
)

// fault is what is wrong with one argument; nothing is in the zero value.
type fault struct {
	field, reason string
	lookup        bool // the argument is a key that no row can have
}

// check returns an *Error for the first fault. A faulty key is also ErrNotFound, so that a caller who looks up a
// stranger's input needs only one branch.
func check(op string, faults ...fault) error {
	for _, f := range faults {
		if f.reason == "" {
			continue
		}
		e := &Error{Op: op, Field: f.field, Reason: f.reason, kinds: []error{ErrInvalidInput}}
		if f.lookup {
			e.kinds = append(e.kinds, ErrNotFound)
		}
		return e
	}
	return nil
}

// key checks a key that rows are looked up by.
func key[T ~string](field string, s T) fault {
	f := required(field, s, maxKey)
	f.lookup = true
	return f
}

// id checks the id of a row that is looked up.
func id(field, s string) fault { return key(field, s) }

// required checks text that may not be empty.
func required[T ~string](field string, s T, limit int) fault {
	if s == "" {
		return fault{field: field, reason: "empty"}
	}
	return text(field, s, limit)
}

// text checks text that the database can store.
func text[T ~string](field string, value T, limit int) fault {
	f, s := fault{field: field}, string(value)
	switch {
	case len(s) > limit*utf8.UTFMax || len(s) > limit && utf8.RuneCountInString(s) > limit:
		f.reason = "too long"
	case strings.IndexByte(s, 0) >= 0:
		f.reason = "NUL byte"
	case !utf8.ValidString(s):
		f.reason = "not UTF-8"
	}
	return f
}

// optional checks text that may be nil.
func optional[T ~string](field string, s *T, limit int) fault {
	if s == nil {
		return fault{}
	}
	return text(field, *s, limit)
}

// jsonText checks text that may be nil or JSON: the server parses it, and fails on anything else.
func jsonText(field string, s *string, limit int) fault {
	f := optional(field, s, limit)
	if f.reason == "" && s != nil && !json.Valid([]byte(*s)) {
		f.reason = "not JSON"
	}
	return f
}

// optionalRequired checks text that may be nil, but not empty.
func optionalRequired(field string, s *string, limit int) fault {
	if s == nil {
		return fault{}
	}
	return required(field, *s, limit)
}

// emailAddress checks a canonical address that is about to be stored: one @ between two parts, no white space.
func emailAddress(s string) fault {
	f := required("email", s, maxEmail)
	local, domain, _ := strings.Cut(s, "@")
	isAddress := local != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsFunc(s, isUnprintable)
	if f.reason == "" && !isAddress {
		f.reason = "malformed"
	}
	return f
}

// instant checks a time that may be nil. JSON has only the years 1 to 9999.
func instant(field string, t *time.Time) fault {
	if t != nil && (t.UTC().Year() < 1 || t.UTC().Year() > 9999) {
		return fault{field: field, reason: "out of range"}
	}
	return fault{}
}

// requiredInstant checks a time that must be given.
func requiredInstant(field string, t time.Time) fault {
	if t.IsZero() {
		return fault{field: field, reason: "empty"}
	}
	return instant(field, &t)
}

// eachOf checks each text of a list, none of which may be empty.
func eachOf[T ~string](field string, list []T, limit int) fault {
	for _, s := range list {
		if f := required(field, s, limit); f.reason != "" {
			return f
		}
	}
	return fault{}
}

// duration checks that a duration is not negative and at most 100 years.
func duration(field string, d time.Duration) fault {
	if d < 0 || d > 100*365*24*time.Hour {
		return fault{field: field, reason: "out of range"}
	}
	return fault{}
}

// batchSize checks how many rows one purge may delete.
func batchSize(n int) fault {
	if n < 1 || n > 10_000 {
		return fault{field: "limit", reason: "out of range"}
	}
	return fault{}
}
