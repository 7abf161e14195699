package connect_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/connect"
)

// TestAtIsNoSocket: libpq takes @ for an abstract one, and pgx dials a host of that name.
func TestAtIsNoSocket(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]error{"@db.example.com": connect.ErrInsecureTLS, "/tmp": nil, "localhost": nil} {
		c, err := pgx.ParseConfig("sslmode=disable host=" + host)
		if err != nil {
			t.Fatal(err)
		}
		if err := connect.Apply(c, false); !errors.Is(err, want) {
			t.Errorf("%s: %v", host, err)
		}
	}
}
