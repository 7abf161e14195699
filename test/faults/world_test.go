package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/internal/testdb"
)

const (
	ceiling = time.Minute          // of every wait, which ends by a condition
	pause   = 2 * time.Millisecond // between two looks
)

// today is the clock of every store.
var today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// estateRows are what every case starts from: an organization and its people, in which each write succeeds once.
const estateRows = `
	INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
		SELECT id, '', id || '@example.com', id <> 'idle', '2026-10-01', '2026-10-01'
		FROM unnest('{owner,heir,guest,idle,joiner,stranger}'::text[]) id;
	INSERT INTO organization (id, name, slug, created_at) VALUES ('org', '', 'org', '2026-10-01');
	INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES
		('owner', 'org', 'owner', 'owner', '2026-10-01'), ('heir', 'org', 'heir', 'owner', '2026-10-01'),
		('guest', 'org', 'guest', 'member', '2026-10-02'), ('idle', 'org', 'idle', 'member', '2026-10-03');
	INSERT INTO team (id, name, organization_id, created_at, member_count) VALUES
		('team', '', 'org', '2026-10-01', 2), ('drift', '', 'org', '2026-10-01', 9);
	INSERT INTO team_member (id, team_id, user_id, created_at) VALUES
		('seat', 'team', 'guest', '2026-10-01'), ('ownerseat', 'team', 'owner', '2026-10-01');
	INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, active_organization_id, active_team_id)
		VALUES
		('session', 'token', 'owner', '2026-11-05', '2026-10-29', '2026-10-29', 'org', 'team'),
		('other', 'other', 'owner', '2026-11-08', '2026-11-01', '2026-11-01', NULL, NULL),
		('half', 'half', 'owner', '2026-11-08', '2026-11-01', '2026-11-01', 'org', NULL),
		('guest', 'guest', 'guest', '2026-11-08', '2026-11-01', '2026-11-01', 'org', 'team'),
		('expired', 'expired', 'guest', '2026-10-08', '2026-10-01', '2026-10-01', NULL, NULL);
	INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES
		('password', 'owner', 'credential', 'owner', '` + knownHash + `', '2026-10-01', '2026-10-01'),
		('guestpassword', 'guest', 'credential', 'guest', '` + knownHash + `', '2026-10-01', '2026-10-01'),
		('identity', 'identity', 'github', 'owner', NULL, '2026-10-01', '2026-10-01');
	INSERT INTO invitation (id, organization_id, email, role, team_id, expires_at, created_at, inviter_id) VALUES
		('invitation', 'org', 'joiner@example.com', 'member', 'team,drift', '2026-11-03', '2026-11-01', 'owner'),
		('late', 'org', 'late@example.com', 'member', NULL, '2026-10-03', '2026-10-01', 'owner');
	INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at) VALUES
		('proof', 'proof', 'value', '2026-11-02', '2026-11-01', '2026-11-01'),
		('code', 'code', '123456:0', '2026-11-02', '2026-11-01', '2026-11-01'),
		('reset', 'reset-password:reset', 'owner', '2026-11-02', '2026-11-01', '2026-11-01'),
		('stale', 'stale', 'value', '2026-10-02', '2026-10-01', '2026-10-01');
	UPDATE "user" SET role = CASE id WHEN 'owner' THEN 'admin' END, banned = id = 'stranger', two_factor_enabled = id = 'guest';
	INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, impersonated_by) VALUES
		('borrowed', 'borrowed', 'guest', '2026-11-02', '2026-11-01', '2026-11-01', 'owner');
	INSERT INTO apikey (id, reference_id, key, remaining, created_at, updated_at) VALUES
		('key', 'owner', 'key', 5, '2026-10-01', '2026-10-01'), ('spare', 'owner', 'spare', NULL, '2026-10-01', '2026-10-01');
`

// knownHash is what Better Auth 1.6.34 made of knownPassword.
const (
	knownPassword = "correct horse battery staple"
	knownHash     = "336fd2e2954df7b4b12aea89ce27ece0:b46887bfbf578787c3a14017010fd5c172805b63a4458ed5bf9cfcb3f0c23b44e9fd64ecc1fce159e4b958905382c7f51a522884369eba8a478deb199c79cdb6"
)

// watchSQL counts every row that anybody changes, also to what it was, but whoever sets watch.off.
var watchSQL = plugins.Admin + plugins.TwoFactor + plugins.Tables + `
	ALTER TABLE "user" ADD COLUMN phone text;
	CREATE SCHEMA watch;
	CREATE TABLE watch.change (what text NOT NULL);
	CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO watch.change VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
	CREATE FUNCTION watch.gate() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NULL; END $$;
`

// watchTable notes each change of a table, and lets it wait at the gates: in the statement, and at the commit.
const watchTable = `
	CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON $table FOR EACH ROW
		WHEN (pg_catalog.current_setting('watch.off', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION watch.note();
	CREATE TRIGGER gate AFTER INSERT OR UPDATE OR DELETE ON $table FOR EACH ROW
		WHEN (pg_catalog.current_setting('watch.off', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION watch.gate('0');
	CREATE CONSTRAINT TRIGGER gate_at_commit AFTER INSERT OR UPDATE OR DELETE ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (pg_catalog.current_setting('watch.off', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION watch.gate('1');`

const gates = 2

// tables are those of the schema, none before one that it belongs to.
var tables = []string{
	"user", "organization", "verification", "session", "account", "member", "team", "team_member", "invitation",
	"organization_role", "two_factor", "apikey", "jwks",
}

// way is how a store reaches its database.
type way struct {
	bounced bool // through PgBouncer
	mode    pgx.QueryExecMode
}

func (w way) transport() string {
	if w.bounced {
		return "pgbouncer"
	}
	return "direct"
}

func (w way) String() string { return w.transport() + " " + modeName(w.mode) }

var modeNames = map[pgx.QueryExecMode]string{
	pgx.QueryExecModeCacheStatement: "cache_statement",
	pgx.QueryExecModeCacheDescribe:  "cache_describe",
	pgx.QueryExecModeDescribeExec:   "describe_exec",
	pgx.QueryExecModeExec:           "exec",
	pgx.QueryExecModeSimpleProtocol: "simple_protocol",
}

func modeName(mode pgx.QueryExecMode) string { return modeNames[mode] }

// world is a database, looked at from outside, and the ways to it.
type world struct {
	config  *pgx.ConnConfig
	bouncer *bouncer
	admin   *pgx.Conn
	watch   *pgx.Conn // to look while admin waits
	gate    *pgx.Conn // shuts the gates
	proxies map[bool]*proxy
	clean   map[way]*authdb.Store
	dump    string // the query
	dirty   bool
	resets  int
}

func newWorld(t *testing.T, b *bouncer) *world {
	t.Helper()
	ctx := t.Context()
	db, err := testdb.Migrated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Drop(context.Background()) })
	return newWorldAt(t, db.DSN, b)
}

// newWorldAt makes a world of a database with every migration applied.
func newWorldAt(t *testing.T, dsn string, b *bouncer) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{bouncer: b, proxies: map[bool]*proxy{}, clean: map[way]*authdb.Store{}, dirty: true}
	var err error
	if w.config, err = pgx.ParseConfig(dsn); err != nil {
		t.Fatal(err)
	}
	w.admin, w.watch, w.gate = w.observe(t), w.observe(t), w.observe(t)
	setup := watchSQL
	var parts []string
	for _, table := range tables {
		setup += strings.ReplaceAll(watchTable, "$table", pgx.Identifier{table}.Sanitize())
		parts = append(parts, fmt.Sprintf(`SELECT '%s ' || to_jsonb(t)::text FROM %s t`, table, pgx.Identifier{table}.Sanitize()))
	}
	w.dump = strings.Join(append(parts,
		`SELECT '~change ' || count(*) || ' ' || what FROM watch.change GROUP BY what`,
		`SELECT '~mark ' || count(*) FROM authdb.mark`,
	), " UNION ALL ")
	if _, err := w.admin.Exec(ctx, setup); err != nil {
		t.Fatal(err)
	}
	var known int
	if err := w.admin.QueryRow(ctx, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'
		AND tablename NOT LIKE 'schema_migrations%'`).Scan(&known); err != nil || known != len(tables) {
		t.Fatalf("%d tables, of which %d are compared (%v)", known, len(tables), err)
	}
	transports := []bool{false}
	if b != nil {
		transports = append(transports, true)
	}
	for _, bounced := range transports {
		network, addr := w.address(bounced)
		w.proxies[bounced], err = newProxy(func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.proxies[bounced].listener.Close() })
	}
	return w
}

// observe connects past proxy and pooler.
func (w *world) observe(t *testing.T) *pgx.Conn {
	t.Helper()
	cfg := w.config.Copy()
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.RuntimeParams["application_name"] = "observer"
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (w *world) address(bounced bool) (network, addr string) {
	if bounced {
		return "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.bouncer.port))
	}
	return pgconn.NetworkAddress(w.config.Host, w.config.Port)
}

// open returns a store by some way, whose ids and tokens are told from others by madeUp.
func (w *world) open(ctx context.Context, by way, port int, app string, opts ...authdb.Option) (*authdb.Store, error) {
	if by.bounced { // a server of PgBouncer's has the name of its last client, by which settle must not go
		app = "pooled"
	}
	dsn := url.URL{
		Scheme: "postgres", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: w.config.Database,
		User: url.UserPassword(w.config.User, w.config.Password),
		RawQuery: url.Values{
			"sslmode": {"disable"}, "application_name": {app}, "default_query_exec_mode": {modeName(by.mode)},
		}.Encode(),
	}
	if port == 0 { // past the proxy
		network, addr := w.address(by.bounced)
		opts = append(opts, authdb.WithPoolConfig(func(c *pgxpool.Config) {
			c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
		}))
		dsn.Host = "127.0.0.1:1"
	}
	return authdb.Open(ctx, dsn.String(), append([]authdb.Option{
		authdb.WithClock(func() time.Time { return today }), authdb.WithIDs(made), authdb.WithTokens(made),
	}, opts...)...)
}

// cleanStore is a store of another process, so to speak: nothing cuts it.
func (w *world) cleanStore(ctx context.Context, by way) (*authdb.Store, error) {
	if s := w.clean[by]; s != nil {
		return s, nil
	}
	s, err := w.open(ctx, by, 0, "clean", authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns, c.MaxConnIdleTime = 2, 60*ceiling
	}))
	w.clean[by] = s
	return s, err
}

func (w *world) close() {
	for _, s := range w.clean {
		if s != nil {
			s.Close()
		}
	}
}

const madeMark = "made"

// made returns an id that no row of the estate has.
func made() string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	id := []byte(madeMark + "____________________")
	for i := len(madeMark); i < len(id); i++ {
		id[i] = letters[rand.IntN(len(letters))]
	}
	return string(id)
}

var (
	// Of a password, by made, perhaps cut short, of an API key, or by a statement.
	madeUp = regexp.MustCompile(`\b[0-9a-f]{32}:[0-9a-f]{128}\b|` + madeMark + `_*[a-zA-Z]{16,64}|\b[0-9a-f]{32}\b`)
	// By SendCode.
	madeCode      = regexp.MustCompile(`("id": "made", "value": )"[0-9]{6}:0"`)
	membershipKey = regexp.MustCompile(`"membership_key": "[^"]*"`)
)

// unmade replaces what differs from one run to the next: ids and tokens, and what is made of an id.
func unmade(text string) string {
	if !madeUp.MatchString(text) {
		return text
	}
	text = madeUp.ReplaceAllStringFunc(text, func(s string) string {
		if s == knownHash {
			return s
		}
		return madeMark
	})
	text = madeCode.ReplaceAllString(text, `$1"made"`)
	return membershipKey.ReplaceAllString(text, `"membership_key": "made"`)
}

// state is what a database holds.
type state struct {
	rows    string // every row, in order
	changes string // how many rows of which table were inserted, updated and deleted
	changed int    // all of them together
	marks   int
}

// look returns what the database holds now.
func (w *world) look(ctx context.Context) (state, error) {
	var s state
	rows, err := w.admin.Query(ctx, w.dump)
	if err != nil {
		return s, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return s, err
	}
	for i, line := range lines {
		lines[i] = unmade(line)
	}
	slices.Sort(lines)
	var text, changes []string
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "~mark "):
			_, err = fmt.Sscanf(line, "~mark %d", &s.marks)
		case strings.HasPrefix(line, "~change "):
			var n int
			_, err = fmt.Sscanf(line, "~change %d", &n)
			s.changed += n
			changes = append(changes, line)
		default:
			text = append(text, line)
		}
		if err != nil {
			return s, err
		}
	}
	s.rows, s.changes = strings.Join(text, "\n"), strings.Join(changes, "\n")
	return s, nil
}

func (s state) sameRows(as state) bool { return s.rows == as.rows && s.changes == as.changes }

// diff prints what another state has more, or less.
func (s state) diff(other state) string {
	var b strings.Builder
	a, z := strings.Split(s.rows+"\n"+s.changes, "\n"), strings.Split(other.rows+"\n"+other.changes, "\n")
	for _, line := range a {
		if !slices.Contains(z, line) {
			b.WriteString("\n\t\t- " + line)
		}
	}
	for _, line := range z {
		if !slices.Contains(a, line) {
			b.WriteString("\n\t\t+ " + line)
		}
	}
	if s.marks != other.marks {
		fmt.Fprintf(&b, "\n\t\t%d marks became %d", s.marks, other.marks)
	}
	return b.String()
}

// restoreSQL brings all rows back to the estate, unwatched.
var restoreSQL = func() string {
	sql := "BEGIN; SET LOCAL watch.off = 'on';"
	for _, table := range slices.Backward(tables) {
		sql += "DELETE FROM " + pgx.Identifier{table}.Sanitize() + ";"
	}
	return sql + estateRows
}()

// reset brings the database back to the estate, without changes and marks.
func (w *world) reset(ctx context.Context) error {
	if !w.dirty {
		return nil
	}
	const vacuumEach = 100
	if w.resets++; w.resets%vacuumEach == 0 {
		for _, table := range append([]string{"watch.change", "authdb.mark"}, tables...) {
			if !strings.Contains(table, ".") {
				table = pgx.Identifier{table}.Sanitize()
			}
			if _, err := w.admin.Exec(ctx, "VACUUM "+table); err != nil {
				return err
			}
		}
	}
	_, err := w.admin.Exec(ctx, restoreSQL+"DELETE FROM watch.change; DELETE FROM authdb.mark; COMMIT")
	w.dirty = err != nil
	return err
}

// revert is what a rival does: it brings the rows back, so that what is done late would find them as it did at first.
func (w *world) revert(ctx context.Context) error {
	w.dirty = true
	for {
		_, err := w.admin.Exec(ctx, restoreSQL+"COMMIT")
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) {
			return err
		}
		if _, rollbackErr := w.admin.Exec(ctx, "ROLLBACK"); rollbackErr != nil || pgErr.Code != "40P01" {
			return errors.Join(err, rollbackErr)
		}
	}
}

// settle waits until nothing that was sent in a run can still change the database.
func (w *world) settle(ctx context.Context, r *run, bounced bool) error {
	if err := r.end(ctx); err != nil {
		return fmt.Errorf("the connections do not end: %w", err)
	}
	return w.await(ctx, "the server is done", func() (bool, error) {
		idle := []string{}
		if bounced {
			var ok bool
			var err error
			if idle, ok, err = w.bouncer.idle(ctx, w.config.Database, r.ports()); err != nil || !ok {
				return false, err
			}
		}
		return w.ask(ctx, w.admin, `SELECT NOT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend'
				AND CASE WHEN $1 THEN application_name <> ALL ('{observer,clean,cut}') ELSE application_name = 'cut' END
				AND (state <> 'idle' OR NOT pid::text = ANY (string_to_array($2, ','))))`, bounced, strings.Join(idle, ","))
	})
}

func (w *world) ask(ctx context.Context, on *pgx.Conn, sql string, args ...any) (yes bool, err error) {
	err = on.QueryRow(ctx, sql, args...).Scan(&yes)
	return yes, err
}

func (w *world) await(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok {
			return nil
		}
		if err == nil {
			err = sleep(ctx, pause)
		}
		if err != nil {
			var who string
			_ = w.watch.QueryRow(context.WithoutCancel(ctx), `SELECT string_agg(a::text, '; ') FROM pg_stat_activity a
				WHERE datname = current_database()`).Scan(&who)
			return fmt.Errorf("waiting: %s: %w: %s", what, err, who)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut shuts a gate. The function that it returns opens it.
func (w *world) shut(ctx context.Context, gate int) (open func(), err error) {
	_, err = w.gate.Exec(ctx, `SELECT pg_advisory_lock($1)`, gate)
	return func() { _, _ = w.gate.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock_all()`) }, err
}

// comer waits until somebody stands at a gate, or the run is over, and returns which process that is, and since when it is
// at work.
func (w *world) comer(ctx context.Context, r *run) (pid int, since string, ok bool) {
	for !r.isDelivered() {
		err := w.gate.QueryRow(context.WithoutCancel(ctx), `SELECT pid, xact_start::text FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event = 'advisory'`).Scan(&pid, &since)
		if err == nil {
			return pid, since, true
		}
		_ = sleep(ctx, pause)
	}
	return 0, "", false
}

// holdAt shuts a gate until the run delivers, and cuts the connection of who stands at it.
func (w *world) holdAt(ctx context.Context, gate int, r *run) error {
	open, err := w.shut(ctx, gate)
	if err != nil {
		return err
	}
	r.meanwhile(func() {
		if pid, since, ok := w.comer(ctx, r); ok {
			r.cutHeld(fmt.Sprint(pid, since))
		}
		_ = r.until(context.WithoutCancel(ctx), func() bool { return r.delivered })
		open()
	})
	return nil
}

// unblock delivers what is held back once somebody waits for a lock, for it may be the late one's. The function that it
// returns ends it.
func (w *world) unblock(ctx context.Context, r *run) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for sleep(ctx, 2*pause) == nil {
			if !r.wasCut() {
				continue
			}
			blocked, err := w.ask(context.WithoutCancel(ctx), w.watch, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock' AND concat(pid, xact_start) <> $1)`, r.heldBy())
			if blocked || err != nil {
				r.deliver()
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
