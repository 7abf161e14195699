// Package secret has one type, that of a value which must not be shown. It is authdb.Secret.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Text is a session token, a password hash, a provider's token, or what a verification holds. What prints, logs or
// encodes it shows "[secret]" in its place, unless it calls no methods. Such are fmt for a field that is not exported;
// fmt with a verb that does not fit, such as %p, or %s for a list of pointers, which go vet finds; encoding/json, and
// so a JSON log or a script of html/template, for the keys of a map; and a dumper that uses reflection alone. So no map
// that leaves the program may have Text as its key. string(t) is the value. JSON decodes into a Text as into a string.
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

// ScanBytes lets pgx read into a Text with as many copies as into a string.
func (t *Text) ScanBytes(b []byte) error {
	if b == nil {
		return errors.New("cannot scan NULL into a secret")
	}
	*t = Text(b)
	return nil
}
