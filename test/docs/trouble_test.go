package docs_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/migrate"
)

// troubles make the error of each line of docs/troubleshooting.md.
var troubles = map[string]func(t *testing.T) error{
	"schema does not fit: …": func(t *testing.T) error {
		store := authdbtest.New(t)
		ddl(t, store, `ALTER TABLE team DROP COLUMN member_count`)
		return store.CheckSchema(t.Context())
	},
	"database unavailable: …": func(t *testing.T) error {
		store, err := authdb.Open(t.Context(), "postgres://127.0.0.1:1/app?connect_timeout=1&sslmode=disable")
		if err != nil {
			return err
		}
		defer store.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return store.Ping(ctx)
	},
	"store: closed: …": func(t *testing.T) error {
		store := authdbtest.New(t)
		store.Close()
		return store.Ping(t.Context())
	},
	"insecure TLS: the host is remote …": func(t *testing.T) error {
		_, err := authdb.Open(t.Context(), "postgres://db.example.com/app?sslmode=require")
		return err
	},
	"behind a pooler, set default_query_exec_mode=exec in the DSN (SQLSTATE 26000)": func(t *testing.T) error {
		conn := connection(t)
		store := authdb.New(conn)
		_, _ = store.Users.Get(t.Context(), "prepares the statement")
		execute(t, conn, `DEALLOCATE ALL`) // as another client of the pooler's connection
		_, err := store.Users.Get(t.Context(), "nobody")
		return err
	},
	"already exists: behind a pooler, …": func(t *testing.T) error {
		first, second := connection(t), connection(t)
		_, _ = authdb.New(first).Users.Get(t.Context(), "prepares the statement")
		var name string
		err := first.QueryRow(t.Context(), `SELECT name FROM pg_prepared_statements`, pgx.QueryExecModeExec).Scan(&name)
		if err != nil {
			return err
		}
		execute(t, second, `PREPARE `+name+` AS SELECT 1`) // as another client of the pooler's connection
		_, err = authdb.New(second).Users.Get(t.Context(), "nobody")
		return err
	},
	"transaction is not read committed": func(t *testing.T) error {
		store := authdbtest.New(t)
		member := authdbtest.Member(t, store)
		return store.InTxWith(t.Context(), authdb.TxOptions{IsoLevel: pgx.Serializable}, func(tx *authdb.Store) error {
			return tx.Members.Leave(t.Context(), member.OrganizationID, member.UserID)
		})
	},
	"which the admin plugin has": func(t *testing.T) error {
		_, err := admin.New(t.Context(), authdbtest.New(t), admin.Options{})
		return err
	},
	"a statement before this one failed: …": func(t *testing.T) error {
		store := authdbtest.New(t)
		user := authdbtest.User(t, store)
		return store.InTx(t.Context(), func(tx *authdb.Store) error {
			_, _ = tx.Users.Create(t.Context(), authdb.CreateUserParams{Email: user.Email})
			_, err := tx.Users.Get(t.Context(), user.ID)
			return err
		})
	},
	"commit unexpectedly resulted in rollback": func(t *testing.T) error {
		store := authdbtest.New(t)
		user := authdbtest.User(t, store)
		create := func(tx *authdb.Store) error {
			_, err := tx.Users.Create(t.Context(), authdb.CreateUserParams{Email: user.Email})
			return err
		}
		if err := store.InTx(t.Context(), func(tx *authdb.Store) error { _ = tx.InTx(t.Context(), create); return nil }); err != nil {
			t.Errorf("with a savepoint: %v", err)
		}
		return store.InTx(t.Context(), func(tx *authdb.Store) error { _ = create(tx); return nil })
	},
	"in a transaction": func(t *testing.T) error {
		store := authdbtest.New(t)
		v := authdbtest.Verification(t, store)
		return store.InTx(t.Context(), func(tx *authdb.Store) error {
			return tx.Verifications.ConsumeCode(t.Context(), authdb.ConsumeCodeParams{Identifier: v.Identifier, Code: "1"})
		})
	},
	"invalid input: store: …": func(t *testing.T) error {
		var kept *authdb.Store
		if err := authdbtest.New(t).InTx(t.Context(), func(tx *authdb.Store) error { kept = tx; return nil }); err != nil {
			return err
		}
		_, err := kept.Users.Get(t.Context(), "x")
		return err
	},
	"invalid input: email: malformed": func(t *testing.T) error {
		_, err := authdbtest.New(t).Users.Create(t.Context(), authdb.CreateUserParams{Email: "@"})
		return err
	},
	"(SQLSTATE 23502)": func(t *testing.T) error {
		store := authdbtest.New(t)
		ddl(t, store, `ALTER TABLE "user" ADD COLUMN plan text NOT NULL`)
		_, err := store.Users.Create(t.Context(), authdb.CreateUserParams{Email: "ada@example.com"})
		return err
	},
	"(SQLSTATE 42501)": func(t *testing.T) error {
		conn := connection(t)
		execute(t, conn, `BEGIN; CREATE ROLE nobody_of_docs; SET LOCAL ROLE nobody_of_docs`)
		_, err := authdb.New(conn).Users.Get(t.Context(), "x")
		return err
	},
	"still referenced (SQLSTATE 23503)": func(t *testing.T) error {
		store := authdbtest.New(t)
		org := authdbtest.Organization(t, store)
		ddl(t, store, `CREATE TABLE customer (organization_id text REFERENCES organization)`)
		ddl(t, store, `INSERT INTO customer SELECT id FROM organization`)
		_, err := store.Organizations.Delete(t.Context(), org.ID)
		return err
	},
	"betterauth: unauthenticated: forged cookie": func(t *testing.T) error {
		cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
		if err != nil {
			return err
		}
		_, err = cookies.Verify("token." + strings.Repeat("A", 43) + "=")
		return err
	},
	"betterauth: invalid option: …": func(*testing.T) error {
		_, err := betterauth.NewCookies(betterauth.CookieOptions{}, "secret")
		return err
	},
	"the tables are there already, and no migration made them …": func(*testing.T) error { return migrate.ErrForeignTables },
	"rows are in the way of …":                                   func(*testing.T) error { return &migrate.DuplicatesError{} },
	"through a pooler, whose sessions others use too: …":         func(*testing.T) error { return migrate.ErrPooler },
	"the database is dirty: …":                                   func(*testing.T) error { return migrate.ErrDirty },
	"lock timeout":                                               func(*testing.T) error { return migrate.ErrLockTimeout },
	"what is there was made by somebody else, …":                 func(*testing.T) error { return migrate.ErrNotOurs },
	"no schema for the tables: …":                                func(*testing.T) error { return migrate.ErrNoSchema },
}

// TestTroubleshooting: each error text of docs/troubleshooting.md is what the trouble that it stands for says.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(file(t, "docs/troubleshooting.md"), -1)
	if len(lines) != len(troubles) {
		t.Errorf("%d lines for %d troubles", len(lines), len(troubles))
	}
	for _, line := range lines {
		trouble, ok := troubles[line[1]]
		if !ok {
			t.Errorf("no trouble says %s", line[1])
			continue
		}
		t.Run(line[1], func(t *testing.T) {
			t.Parallel()
			if err := trouble(t); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(strings.TrimSuffix(line[1], "…"))) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func ddl(t *testing.T, store *authdb.Store, sql string) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func connection(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), authdbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(context.Background())) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
