package connect_test

import (
	"testing"

	"github.com/zerostarter/authdb/internal/connect"
)

func TestAmbiguous(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://app:1234/secret@127.0.0.1/db":    true,
		"postgresql://app:12?secret@127.0.0.1/db":    true,
		"postgres://app:12?a=b&secret@127.0.0.1/db":  true,
		"postgres://app:12/secret?options=x@h:1/db":  true,
		"postgres://app:1/a?host=secret@127.0.0.1":   true,
		"postgres://app:pa?b=c@secret@127.0.0.1/db":  true,
		"postgres://app:pa?b=c@sec/ret@127.0.0.1/db": true,
		"postgres://app:pa@secret@127.0.0.1/db":      true,
		"postgres://app:pa@secret,x@127.0.0.1/db":    true,
		"postgres://app:pa#x@secret@127.0.0.1/db":    true,
		"postgres://app:p@@127.0.0.1/db":             true,
		"postgres://h/db?password=a&secret=b":        true,
		"'postgres://app:secret@h/db?sslmode=x'":     true,
		`"postgres://app:secret@h/db?a=b"`:           true,
		" postgres://app:secret@h/db?sslmode=prefer": true,
		"POSTGRES://app:secret@h/db?sslmode=prefer":  true,
		"postgresql+asyncpg://app:secret@h/db?ssl=":  true,
		"jdbc:postgresql://h/db?user=u&password=s":   true,
		"DATABASE_URL=postgres://app:secret@h/db":    true,
		"psql postgres://app:secret@h/db":            true,
		"host=postgres://app:secret@h/db":            true,
		"dbname=postgres://app:secret@h/db":          true,
		"password=a secret=b":                        true,
		"password=a secret":                          true,
		"PASSWORD=secret":                            true,
		"postgres://h:many/db":                       true,
		"":                                           false,
		"postgres://h/db?options=-c%20x.y%3D1":       false,
		"postgres://h/db?pool_max_conns=3&ssl=true":  false,
		"host=h TimeZone=UTC search_path='a, b'":     false,
		"postgres://app:p#w@h1:1,h2:2/db":            false,
		"postgres://app:pw@h/db?user=app@tenant":     false,
		"postgres://app%40tenant:p%2Fw@h:1/db":       false,
		"postgres:///db?host=@abstract":              false,
		"postgres://h":                               false,
		"host=h user=app@tenant password=a/b@c":      false,
		"host=h password=postgres://a/b@c user=a":    false,
	} {
		if got := connect.Ambiguous(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
