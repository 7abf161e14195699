package relations_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

var (
	allOfUser         = kit.Ask[authdb.UserWith](authdb.All(), false)
	allOfOrganization = kit.Ask[authdb.OrganizationWith](authdb.All(), false)
)

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	s, ctx := authdbtest.New(t), t.Context()
	users := func(with authdb.UserWith, users ...authdb.User) error {
		_, err := s.Users.Load(ctx, users, with)
		return err
	}
	wantFault(t, users(authdb.UserWith{Sessions: authdb.Oldest(0)}), "sessions", "out of range") // also of no user
	wantFault(t, users(allOfUser, authdb.User{ID: "x"}, authdb.User{ID: "x\x00"}), "id", "NUL byte")
	wantFault(t, users(allOfUser, authdb.User{}), "id", "empty")
	wantFault(t, users(allOfUser, authdb.User{ID: "\xff"}), "id", "not UTF-8")
}

func wantFault(t *testing.T, err error, field, reason string) {
	t.Helper()
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok || !errors.Is(err, authdb.ErrInvalidInput) || e.Field != field || e.Reason != reason {
		t.Errorf("got %v, want invalid input: %s: %s", err, field, reason)
	}
}

// TestLoadThatFails breaks a query in the middle of a pipeline, before and after the connection has prepared it: the
// error is the server's, and the connection comes out of it as pgx leaves one.
func TestLoadThatFails(t *testing.T) {
	t.Parallel()
	store, ctx := authdbtest.New(t), t.Context()
	user := authdbtest.Account(t, store).UserID
	fails := func(t *testing.T, db authdb.DB) {
		t.Helper()
		_, err := authdb.New(db).Users.GetFull(ctx, user, allOfUser)
		if e, ok := errors.AsType[*authdb.Error](err); !ok || e.Op != "Users.GetFull" || e.SQLState != "42703" {
			t.Errorf("got %v, want an undefined column", err)
		}
	}
	works := func(t *testing.T, db authdb.DB) {
		t.Helper()
		full, err := authdb.New(db).Users.GetFull(ctx, user, allOfUser)
		if err != nil || len(full.Accounts) != 1 {
			t.Errorf("%d accounts, %v", len(full.Accounts), err)
		}
	}
	for _, mode := range kit.ExecModes {
		for _, warm := range []string{"cold", "warm"} {
			t.Run(mode.String()+"/"+warm, func(t *testing.T) {
				pool := kit.PoolIn(t, store, "UTC", mode)
				conn := kit.Must[*pgx.Conn](t)(pgx.ConnectConfig(ctx, pool.Config().ConnConfig))
				defer func() { _ = conn.Close(context.Background()) }()
				idle := func(t *testing.T, conn *pgx.Conn) {
					t.Helper()
					if status := conn.PgConn().TxStatus(); conn.IsClosed() || status != 'I' {
						t.Errorf("the connection is closed (%v) or in a transaction (%c)", conn.IsClosed(), status)
					}
				}
				if warm == "warm" {
					works(t, pool)
					works(t, conn)
				}
				kit.Exec(t, store, `ALTER TABLE account RENAME COLUMN scope TO gone`)
				fails(t, pool)
				for _, c := range pool.AcquireAllIdle(ctx) {
					idle(t, c.Conn())
					c.Release()
				}
				fails(t, conn)
				idle(t, conn)
				acquired := kit.Must[*pgxpool.Conn](t)(pool.Acquire(ctx))
				fails(t, acquired)
				idle(t, acquired.Conn())
				acquired.Release()
				// In a transaction it is the transaction that has failed, and a savepoint saves it.
				tx := kit.Must[pgx.Tx](t)(conn.Begin(ctx))
				if err := authdb.New(tx).InTx(ctx, func(inner *authdb.Store) error {
					_, err := inner.Users.GetFull(ctx, user, allOfUser)
					return err
				}); err == nil || conn.PgConn().TxStatus() != 'T' {
					t.Errorf("after a savepoint: status %c; %v", conn.PgConn().TxStatus(), err)
				}
				fails(t, tx)
				if conn.PgConn().TxStatus() != 'E' {
					t.Errorf("transaction status %c, want E", conn.PgConn().TxStatus())
				}
				if err := tx.Rollback(ctx); err != nil {
					t.Error(err)
				}
				kit.Exec(t, store, `ALTER TABLE account RENAME COLUMN gone TO scope`)
				works(t, pool)
				works(t, conn)
				idle(t, conn)
			})
		}
	}
}

// TestLoadInAnOpenTransaction: a load sees what its transaction has not committed yet, however that was begun, and
// leaves it open.
func TestLoadInAnOpenTransaction(t *testing.T) {
	t.Parallel()
	store, ctx := authdbtest.New(t), t.Context()
	sees := func(s *authdb.Store) {
		t.Helper()
		session := authdbtest.Session(t, s)
		with := authdb.UserWith{Sessions: authdb.All()}
		user := authdb.User{ID: session.UserID}
		if full := kit.Must[authdb.UserWithRelations](t)(s.Users.GetFull(ctx, user.ID, with)); len(full.Sessions) != 1 {
			t.Errorf("sees %d sessions inside, want 1", len(full.Sessions))
		}
		outside := kit.Must[[]authdb.UserWithRelations](t)(store.Users.Load(ctx, []authdb.User{user}, with))
		if sessions := outside[0].Sessions; sessions == nil || len(sessions) != 0 {
			t.Errorf("%d sessions are seen outside, want an empty list", len(sessions))
		}
	}
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, store.Pool().Config().ConnString()))
	defer func() { _ = conn.Close(context.Background()) }()
	acquired := kit.Must[*pgxpool.Conn](t)(store.Pool().Acquire(ctx))
	defer acquired.Release()
	for _, begin := range []string{"BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN; SAVEPOINT s"} {
		for db, conn := range map[authdb.DB]*pgx.Conn{conn: conn, acquired: acquired.Conn()} {
			kit.Must[any](t)(db.Exec(ctx, begin))
			sees(authdb.New(db))
			if status := conn.PgConn().TxStatus(); status != 'T' {
				t.Errorf("%s on a %T: transaction status %c after it, want T", begin, db, status)
			}
			kit.Must[any](t)(db.Exec(ctx, "ROLLBACK"))
		}
	}
	undo := errors.New("undo")
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		sees(tx)
		err := tx.InTx(ctx, func(inner *authdb.Store) error {
			sees(inner)
			return undo
		})
		sees(tx)
		return err
	}); !errors.Is(err, undo) {
		t.Error(err)
	}
}

// TestLoadThatIsCanceled: before it starts, and while the server works on it.
func TestLoadThatIsCanceled(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	user := authdbtest.User(t, store)
	load := func(ctx context.Context) error {
		_, err := store.Users.GetFull(ctx, user.ID, allOfUser)
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := load(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if err := pgx.BeginFunc(t.Context(), store.Pool(), func(tx pgx.Tx) error {
		kit.Must[any](t)(tx.Exec(t.Context(), `LOCK TABLE account`))
		failed := make(chan error, 1)
		go func() { failed <- load(ctx) }()
		for waiting := false; !waiting; {
			if err := tx.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
				AND relation = 'account'::regclass)`).Scan(&waiting); err != nil {
				return err
			}
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := load(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGetFullOfNobody(t *testing.T) {
	t.Parallel()
	store, ctx := authdbtest.New(t), t.Context()
	org := authdbtest.Organization(t, store)
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, store.Pool().Config().ConnString()))
	defer func() { _ = conn.Close(context.Background()) }()
	s := authdb.New(conn)
	for range 3 {
		if _, err := s.Organizations.GetFull(ctx, "nobody", allOfOrganization); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("GetFull: %v", err)
		}
		if _, err := s.Users.GetFull(ctx, "nobody", allOfUser); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("Users.GetFull: %v", err)
		}
		if _, err := s.Teams.GetFull(ctx, org.ID, "nobody", authdb.TeamWith{}); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("Teams.GetFull: %v", err)
		}
		if status := conn.PgConn().TxStatus(); status != 'I' {
			t.Errorf("transaction status %c, want I", status)
		}
		full := kit.Must[authdb.OrganizationWithRelations](t)(s.Organizations.GetFull(ctx, org.ID, allOfOrganization))
		if len(full.Members) != 1 || full.Teams == nil || full.Invitations == nil {
			t.Errorf("%d members, want 1, and empty lists", len(full.Members))
		}
	}
}

// TestLoadedRowsAreTheCallers: to change what one parent got changes nothing of another's; only the rows that others
// belong to are shared.
func TestLoadedRowsAreTheCallers(t *testing.T) {
	t.Parallel()
	store := kit.RealData(t, "1.7.25")
	o := newOracle(t.Context(), t, store.Pool())
	users, orgs := table[authdb.User](o, "user"), table[authdb.Organization](o, "organization")
	loadedUsers := kit.Must[[]authdb.UserWithRelations](t)(store.Users.Load(t.Context(), users, allOfUser))
	loadedOrgs := kit.Must[[]authdb.OrganizationWithRelations](t)(store.Organizations.Load(t.Context(), orgs, allOfOrganization))
	want := []any{tree(reflect.ValueOf(loadedUsers[1:])), tree(reflect.ValueOf(loadedOrgs[1:]))}
	clobber(reflect.ValueOf(&loadedUsers[0]).Elem())
	clobber(reflect.ValueOf(&loadedOrgs[0]).Elem())
	got := []any{tree(reflect.ValueOf(loadedUsers[1:])), tree(reflect.ValueOf(loadedOrgs[1:]))}
	if diff := cmp.Diff(want, got); diff != "" || len(users) < 2 || len(orgs) < 2 {
		t.Errorf("the others changed:\n%s", diff)
	}
}

// clobber empties whatever v holds, and appends to its lists.
func clobber(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			clobber(v.Index(i))
		}
		reflect.Append(v, reflect.Zero(v.Type().Elem()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		clobber(v.Elem())
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for _, field := range v.Fields() {
			clobber(field)
		}
	default:
		v.SetZero()
	}
}

// TestLoadInEachExecMode: real rows are the same in each, also where goroutines share the pool.
func TestLoadInEachExecMode(t *testing.T) {
	t.Parallel()
	store, ctx := kit.RealData(t, "1.7.25"), t.Context()
	o := newOracle(ctx, t, store.Pool())
	users, orgs := table[authdb.User](o, "user"), table[authdb.Organization](o, "organization")
	few := authdb.OrganizationWith{
		Members: authdb.Newest(2), Teams: authdb.Oldest(2), TeamMembers: authdb.Newest(2), Invitations: authdb.Newest(2),
	}
	everything := func(s *authdb.Store) ([]any, error) {
		one, err1 := s.Users.Load(ctx, users, allOfUser)
		two, err2 := s.Organizations.Load(ctx, orgs, allOfOrganization)
		three, err3 := s.Organizations.Load(ctx, orgs, few)
		return []any{one, two, three}, errors.Join(err1, err2, err3)
	}
	want := kit.Must[[]any](t)(everything(store))
	for _, mode := range kit.ExecModes {
		t.Run(mode.String(), func(t *testing.T) {
			s := authdb.New(kit.PoolIn(t, store, "America/St_Johns", mode))
			var loads sync.WaitGroup
			for range 4 {
				loads.Go(func() {
					if got, err := everything(s); !reflect.DeepEqual(want, got) || err != nil {
						t.Errorf("(-cache_statement +%s): %v\n%s", mode, err, cmp.Diff(want, got))
					}
				})
			}
			loads.Wait()
		})
	}
}

// wrapped hides what a DB is, as a caller's own type for tracing might.
type wrapped struct{ authdb.DB }

// TestLoadEndsNoForeignTransaction: where it cannot see a transaction, Load must not COMMIT the caller's.
func TestLoadEndsNoForeignTransaction(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx := t.Context()
	tx := kit.Must[pgx.Tx](t)(store.Pool().Begin(ctx))
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // or the pool would wait for it when the test fails
	inside := authdb.New(wrapped{tx})
	user := authdbtest.User(t, inside)
	authdbtest.Session(t, inside, func(p *authdb.CreateSessionParams) { p.UserID = user.ID })
	full := kit.Must[authdb.UserWithRelations](t)(inside.Users.GetFull(ctx, user.ID, authdb.UserWith{
		Sessions: authdb.All(), Accounts: authdb.All(),
	}))
	if len(full.Sessions) != 1 || full.Accounts == nil {
		t.Errorf("loaded %d sessions, accounts %v", len(full.Sessions), full.Accounts)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Users.Get(ctx, user.ID); !errors.Is(err, authdb.ErrNotFound) {
		t.Errorf("what was rolled back is there: %v", err)
	}
}
