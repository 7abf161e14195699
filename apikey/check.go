package apikey

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/permission"
)

// Limits of texts, in characters. The index on keys has no room for longer ones, if they are stored without hashing.
const (
	maxText     = 255
	maxKey      = 512
	maxDocument = 64 << 10
)

var prefixes = regexp.MustCompile(`^[a-zA-Z0-9_-]{0,32}$`)

func prefix(s string) bridge.Fault {
	if !prefixes.MatchString(s) {
		return bridge.Fault{Field: "prefix", Reason: "malformed"}
	}
	return bridge.Fault{}
}

func text(field string, s *string, limit int) bridge.Fault {
	if s == nil {
		return bridge.Fault{}
	}
	return bridge.Text(field, *s, limit)
}

// document checks JSON that may be nil.
func document(s *string) bridge.Fault {
	if f := text("metadata", s, maxDocument); f.Reason != "" || s == nil || json.Valid([]byte(*s)) {
		return f
	}
	return bridge.Fault{Field: "metadata", Reason: "malformed"}
}

// encoded returns a set as the column has it; nil for nil. PostgreSQL cannot read JSON with a NUL.
func encoded(set permission.Set) (*string, bridge.Fault) {
	if set == nil {
		return nil, bridge.Fault{}
	}
	isBad := func(s string) bool { return strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) }
	for resource, actions := range set {
		if isBad(resource) || slices.ContainsFunc(actions, isBad) {
			return nil, bridge.Fault{Field: "permissions", Reason: "malformed"}
		}
	}
	raw, err := json.Marshal(set)
	if err != nil || len(raw) > maxDocument {
		return nil, bridge.Fault{Field: "permissions", Reason: "too long"}
	}
	return new(string(raw)), bridge.Fault{}
}

// instant checks a time that may be nil.
func instant(field string, t *time.Time) bridge.Fault {
	if t == nil {
		return bridge.Fault{}
	}
	return bridge.Instant(field, *t)
}

func count(field string, n *int, least, most int) bridge.Fault {
	if n != nil && (*n < least || *n > most) {
		return bridge.Fault{Field: field, Reason: "out of range"}
	}
	return bridge.Fault{}
}

func notNull[T any](field string, c authdb.Change[T]) bridge.Fault {
	if value, set := c.Get(); set && value == nil {
		return bridge.Fault{Field: field, Reason: "null"}
	}
	return bridge.Fault{}
}

func span(field string, n int, d time.Duration) bridge.Fault {
	ms := d.Milliseconds()
	if n < 1 || n > math.MaxInt32 || ms < 1 || ms > math.MaxInt32 || d%time.Millisecond != 0 {
		return bridge.Fault{Field: field, Reason: "out of range"}
	}
	return bridge.Fault{}
}

func (r *Refill) fault() bridge.Fault {
	if r == nil {
		return bridge.Fault{}
	}
	return span("refill", r.Amount, r.Interval)
}

func (r *RateLimit) fault() bridge.Fault {
	if r == nil {
		return bridge.Fault{}
	}
	return span("rate_limit", r.Max, r.Window)
}

// columns returns the milliseconds and the amount; both nil for nil.
func (r *Refill) columns() (interval, amount *int32) {
	if r == nil {
		return nil, nil
	}
	return new(int32(r.Interval.Milliseconds())), new(int32(r.Amount))
}

func (r *RateLimit) columns() (window, limit *int32) {
	if r == nil {
		return nil, nil
	}
	return new(int32(r.Window.Milliseconds())), new(int32(r.Max))
}

func integer(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
