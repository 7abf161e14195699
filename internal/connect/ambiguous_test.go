package connect_test

import (
	"testing"

	"github.com/zerostarter/authdb/internal/connect"
)

func TestAmbiguous(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://app:1234/secret@127.0.0.1/db":   true,
		"postgresql://app:12?secret@127.0.0.1/db":   true,
		"postgres://app:12?a=b&secret@127.0.0.1/db": true,
		"postgres://app:pw@h/db?user=app@tenant":    false,
		"postgres://app%40tenant:p%2Fw@h:1/db":      false,
		"postgres:///db?host=@abstract":             false,
		"postgres://h":                              false,
		"host=h user=app@tenant password=a/b@c":     false,
		"host=h password=postgres://a/b@c user=a":   false,
	} {
		if got := connect.Ambiguous(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
