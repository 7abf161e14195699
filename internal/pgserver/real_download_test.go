//go:build download

package pgserver

import (
	"strings"
	"testing"
)

// TestRealDownload fetches tens of megabytes, unless the cache has them: go test -tags download.
func TestRealDownload(t *testing.T) {
	t.Setenv("AUTHDB_POSTGRES", "download")
	s := start(t, Options{Progress: func(step string) { t.Log(step) }})
	if !strings.HasPrefix(s.Version(), defaultVersion) || !strings.Contains(s.Origin(), defaultVersion) {
		t.Errorf("version %s, origin %s", s.Version(), s.Origin())
	}
	ask(t, s.DSN(), "select 'answers'")
}
