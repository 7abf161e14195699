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
		"postgres:///db?host=@abstract":              true,
		"host=h;port=1;user=app;password=s":          true,
		"host=h,port=1,user=app,password=s":          true,
		"host=h|port=1|password=s user=app":          true,
		"host='h port=1 password=s' user=app":        true,
		"host=/tmp;Password=s user=app":              true,
		"host=h:1:app:s":                             true,
		"host=app:s@h":                               true,
		"host=[::1] password=s":                      true,
		"host=fe80::1,port=1,password=s":             true,
		"user=app;password=s host=h":                 true,
		"user=app:s host=h":                          true,
		"host=h user='app password=s'":               true,
		"dbname=db;password=s host=h":                true,
		"dbname=app:s@h/db":                          true,
		"dbname='db host=h'":                         true,
		"host=h work_mem=4MB;password=s":             true,
		"host=h search_path=public,PWD=s":            true,
		"host=h application_name='a password : s'":   true,
		"postgres://h/db&user=app&password=s":        true,
		"postgres://h/db;user=app;password=s":        true,
		"postgres://h/db,password=s":                 true,
		"postgres://h/db%20password=s":               true,
		"postgres://h/db%3Bpassword%3Ds":             true,
		"postgres://h;password=s/db":                 true,
		"postgres://app%3As@h/db":                    true,
		"postgres://app@h/db:s":                      true,
		"postgres://h/db?search_path=a%26password=s": true,
		"":                                     false,
		"postgres://h/db?options=-c%20x.y%3D1": false,
		"postgres://h/db?pool_max_conns=3&ssl=true": false,
		"host=h TimeZone=UTC search_path='a, b'":    false,
		"postgres://app:p#w@h1:1,h2:2/db":           false,
		"postgres://app:pw@h/db?user=app@tenant":    false,
		"postgres://app%40tenant:p%2Fw@h:1/db":      false,
		"postgres:///db?host=/a%3Db:c/s":            false,
		"postgres:///db?host=fe80::1%25eth0":        false,
		"postgres://[::1]:5432,h-1.x_y.example./db": false,
		"postgres://h/my%20db;a&b,c?user=a%20b;c":   false,
		"host=h user='a b,c;d&e' dbname='my db,a'":  false,
		"host=h application_name=a:b":               false,
		"postgres://h":                              false,
		"host=h user=app@tenant password=a/b@c":     false,
		"host=h password=postgres://a/b@c user=a":   false,
	} {
		if got := connect.Ambiguous(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
