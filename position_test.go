package authdb_test

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/zerostarter/authdb"
)

// TestPositionText comes back as it was, and is refused in any other spelling.
func TestPositionText(t *testing.T) {
	t.Parallel()
	for text, fine := range map[string]bool{
		"": true, "1": true, "16b374d848": true, strconv.FormatUint(math.MaxUint64, 16): true,
		"0": false, "01": false, "16B374D848": false, "16/B374D848": false, "+1": false, "-1": false, " 1": false, "0x1": false, "1_0": false,
		"10000000000000000": false, "1\x00": false, "g": false,
	} {
		p := authdb.Position{}
		err := p.UnmarshalText([]byte(text))
		if fine && (err != nil || p.String() != text || p.IsZero() != (text == "")) {
			t.Errorf("%q: %q, %v", text, p, err)
		}
		if e, _ := errors.AsType[*authdb.Error](err); !fine && (e == nil || !errors.Is(err, authdb.ErrInvalidInput) || e.Field != "position" || !p.IsZero()) {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
	type shown struct{ At authdb.Position }
	var p, back shown
	if err := p.At.UnmarshalText([]byte("ff")); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(raw, &back)
	}
	if err != nil || string(raw) != `{"At":"ff"}` || back != p {
		t.Errorf("%s: %v, %v", raw, back, err)
	}
}
