package methods_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/migrate"
)

// TestRoles runs the statements of docs/roles.md in a database of its own, and each method as the role that it is
// for.
func TestRoles(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	admin := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	app := strings.ToLower("app_" + kit.NewID())
	owner := asRoleURL(t, admin.Config().ConnString(), app, "")
	roles := []string{app + "_migrator", app + "_service", app + "_reader"}
	kit.Must[pgconn.CommandTag](t)(admin.Exec(ctx, "CREATE DATABASE "+app))
	super := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, owner))
	t.Cleanup(func() {
		ctx := context.Background()
		_ = super.Close(ctx)
		_, err := admin.Exec(ctx, "DROP DATABASE "+app+" WITH (FORCE)")
		for _, role := range roles {
			_, dropErr := admin.Exec(ctx, "DROP ROLE IF EXISTS "+role)
			err = errors.Join(err, dropErr)
		}
		if err != nil {
			t.Error(err)
		}
	})
	doc := string(kit.Must[[]byte](t)(os.ReadFile("../../docs/roles.md")))
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(blocks) != 4 {
		t.Fatalf("%d samples of SQL", len(blocks))
	}
	run := func(block string) {
		t.Helper()
		sql := regexp.MustCompile(`\bapp\b`).ReplaceAllString(strings.ReplaceAll(block, "app_", app+"_"), app)
		kit.Must[pgconn.CommandTag](t)(super.Exec(ctx, sql))
	}
	run(blocks[0][1])
	m := kit.Must[*migrate.Migrator](t)(migrate.Open(ctx, asRoleURL(t, owner, app, roles[0]), migrate.Options{InsecureTLS: true}))
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	run(blocks[1][1])
	run(blocks[2][1])

	open := func(role string, opts ...authdb.Option) *authdb.Store {
		opts = append(opts, authdb.WithInsecureTLS(), authdb.WithClock(func() time.Time { return kit.Today }))
		s := kit.Must[*authdb.Store](t)(authdb.Open(ctx, asRoleURL(t, owner, app, role), opts...))
		t.Cleanup(s.Close)
		return s
	}
	service, once, reader := open(roles[1]), open(roles[1], authdb.WithOnce()), open(roles[2])
	for name, s := range map[string]*authdb.Store{"service": service, "once": once, "reader": reader} {
		if err := s.CheckSchema(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	denied, reads := 0, regexp.MustCompile(`\.(Get|List|All|Search|Count|Load|Authenticate)`)
	for i, name := range kit.KeysOf(kit.MethodCalls) {
		for j, s := range []*authdb.Store{service, once, reader} {
			n := fmt.Sprintf(".%d.%d", i, j)
			w, err := kit.NewEstate(ctx, super, n, "org"+n, "user"+n)
			if err != nil {
				t.Fatal(err)
			}
			err = kit.MethodCalls[name](ctx, s, w)
			e, _ := errors.AsType[*authdb.Error](err)
			if s == reader && e != nil && e.SQLState == "42501" && !reads.MatchString(name) {
				denied++
			} else if err != nil || s == reader && !reads.MatchString(name) {
				t.Errorf("%s as %s: %v", name, roles[min(j+1, 2)], err)
			}
		}
	}
	t.Logf("%d methods, of which the reader is denied %d", len(kit.MethodCalls), denied)
	for _, s := range []*authdb.Store{service, reader} {
		for _, sql := range []string{
			`CREATE TABLE public.mine (id text)`, `CREATE TEMPORARY TABLE mine (id text)`, `ALTER TABLE "user" ADD mine text`,
			`TRUNCATE session`, `CREATE SCHEMA mine`, `SELECT * FROM authdb.schema_migrations`, `CREATE FUNCTION public.f() RETURNS int RETURN 1`,
		} {
			if _, err := s.Pool().Exec(ctx, sql); err == nil {
				t.Errorf("%s is allowed", sql)
			}
		}
	}

	asService := asRoleURL(t, owner, app, roles[1])
	if m, err := migrate.Open(ctx, asService, migrate.Options{InsecureTLS: true}); err != nil {
		t.Error(err)
	} else if err := errors.Join(m.Up(ctx), m.Close()); err == nil {
		t.Error("the service reads the migrations")
	}
	run(blocks[3][1])
	m = kit.Must[*migrate.Migrator](t)(migrate.Open(ctx, asService, migrate.Options{InsecureTLS: true}))
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Error(err)
	}
}

// asRoleURL is dsn with another database, and another role if there is one.
func asRoleURL(t *testing.T, dsn, database, role string) string {
	t.Helper()
	u := kit.Must[*url.URL](t)(url.Parse(dsn))
	u.Path = "/" + database
	if role != "" {
		q := u.Query()
		q.Del("user")
		u.RawQuery = q.Encode()
		u.User = url.User(role)
	}
	return u.String()
}
