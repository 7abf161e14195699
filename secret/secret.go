// Package secret has the type of a value that must not be shown. It is authdb.Secret; nothing else is here.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Text is a session token, a password hash, a token of a provider, or what a verification holds. Whatever prints, logs
// or encodes it shows "[secret]" in its place, but for what calls no methods: fmt in a field of the caller's own whose
// name is not exported, fmt with a verb that does not fit, such as %s for a list of pointers or %p, which go vet finds,
// encoding/json (so a JSON log, and a script of html/template) for the keys of a map, and a dumper that goes by
// reflection alone. So no map that leaves the program may have a Text for its key. string(t) is the value. JSON decodes
// into it as into a string.
type Text string

const hidden = "[secret]"

// Format prints "[secret]", whatever the verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue logs "[secret]".
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText encodes "[secret]".
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalBinary encodes "[secret]"; encoding/gob does not ask for text.
func (Text) MarshalBinary() ([]byte, error) { return []byte(hidden), nil }

// ScanBytes is how pgx reads into a Text, without a copy more than into a string.
func (t *Text) ScanBytes(b []byte) error {
	if b == nil {
		return errors.New("cannot scan NULL into a secret")
	}
	*t = Text(b)
	return nil
}
