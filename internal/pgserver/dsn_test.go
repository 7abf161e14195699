package pgserver

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestWithDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://h/a":                             "postgres://h/new",
		"postgresql://h":                             "postgresql://h/new",
		"postgres://h?sslmode=disable":               "postgres://h/new?sslmode=disable",
		"postgres://u:p%2F%3F%40@h:6543/a":           "postgres://u:p%2F%3F%40@h:6543/new",
		"postgres://u:p?#q@h/a?sslmode=require":      "postgres://u:p?#q@h/new?sslmode=require",
		"postgres://h1:1,h2:2/a":                     "postgres://h1:1,h2:2/new",
		"postgres://[::1]:5/a?x=1":                   "postgres://[::1]:5/new?x=1",
		"postgres:///a?host=/run/pg&dbname=b&user=u": "postgres:///new?host=/run/pg&user=u",
		"postgres://h/a?options=-c%20x%3D1":          "postgres://h/new?options=-c%20x%3D1",
		"host=h dbname=a password='it\\'s x'":        "host=h dbname=a password='it\\'s x' dbname='new'",
		"service=x":                                  "service=x dbname='new'",
		"password=postgres://x":                      "password=postgres://x dbname='new'",
	} {
		if got := withDatabase(dsn, "new"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", dsn, got, want)
		}
	}
}

func TestWithDatabaseKeepsTheRest(t *testing.T) {
	for _, dsn := range []string{
		"postgres://me:p%40%2F%3F%23%25w@127.0.0.1:6543/a?sslmode=disable&options=-c%20search_path%3Dx",
		`host=127.0.0.1 port=6543 user=me password='p@/?#%w' dbname=a sslmode=disable options='-c search_path=x'`,
		"postgres:///a?host=127.0.0.1&port=6543&user=me&password=p%40%2F%3F%23%25w&database=b&options=-c%20search_path%3Dx",
	} {
		for _, database := range []string{"new", `a b/'"\%&?=+ü`} {
			c, err := pgconn.ParseConfig(withDatabase(dsn, database))
			if err != nil {
				t.Errorf("%s: %v", dsn, err)
				continue
			}
			got := []string{c.Host, c.User, c.Password, c.Database, c.RuntimeParams["options"]}
			want := []string{"127.0.0.1", "me", "p@/?#%w", database, "-c search_path=x"}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s: got %q, want %q", dsn, got[i], want[i])
				}
			}
			if c.Port != 6543 {
				t.Errorf("%s: got port %d", dsn, c.Port)
			}
		}
	}
}

// TestExternalDSN: one whose password errors would show is refused, and not shown.
func TestExternalDSN(t *testing.T) {
	for _, dsn := range []string{
		"postgres://127.0.0.1:1/s3cret@127.0.0.1:1/app",
		"postgres://app:pa@s3cret@127.0.0.1:1/app",
		"'postgres://app:s3cret@127.0.0.1:1/app?sslmode=prefer'",
		"host=127.0.0.1 port=1 password=a s3cret=b",
		"host=127.0.0.1 port=1 sslmode=s3cret",
	} {
		if _, err := external(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "DATABASE_URL is malformed") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestPrivateDSN(t *testing.T) {
	c, err := pgconn.ParseConfig(socketDSN("/tmp/a b+&c", 5432))
	if err != nil || c.Host != "/tmp/a b+&c/s" || c.Port != 5432 || c.User != "postgres" || c.TLSConfig != nil {
		t.Errorf("got %+v, %v", c, err)
	}
}
