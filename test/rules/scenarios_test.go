package rules_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// world is what every scenario and schedule finds: two organizations that share a user, and of everything a row that
// an operation on another one must leave alone. It is noon.
const world = `
INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
SELECT id, id, id || '@x.io', id <> 'eve', '2026-01-01', '2026-01-01'
FROM unnest('{olga,otto,ann,bob,cyd,dan,eve}'::text[]) id;
INSERT INTO organization (id, name, slug, created_at) VALUES
	('acme', 'Acme', 'acme', '2026-01-01'), ('globex', 'Globex', 'globex', '2026-01-01');
INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES
	('acme-olga', 'acme', 'olga', 'owner', '2026-01-01'), ('acme-ann', 'acme', 'ann', 'admin', '2026-01-01'),
	('acme-bob', 'acme', 'bob', 'member', '2026-01-01'), ('globex-otto', 'globex', 'otto', 'owner', '2026-01-01'),
	('globex-bob', 'globex', 'bob', 'member', '2026-01-01');
INSERT INTO team (id, name, organization_id, created_at, updated_at, member_count) VALUES
	('red', 'Red', 'acme', '2026-01-01', '2026-01-01', 2), ('blue', 'Blue', 'acme', '2026-01-01', '2026-01-01', 1),
	('gold', 'Gold', 'globex', '2026-01-01', '2026-01-01', 2);
INSERT INTO team_member (id, team_id, user_id, created_at, membership_key) VALUES
	('red-ann', 'red', 'ann', '2026-01-01', 'key of red-ann'), ('red-bob', 'red', 'bob', '2026-01-01', NULL),
	('blue-ann', 'blue', 'ann', '2026-01-01', NULL), ('gold-otto', 'gold', 'otto', '2026-01-01', NULL),
	('gold-bob', 'gold', 'bob', '2026-01-01', NULL);
INSERT INTO session (id, token, user_id, expires_at, active_organization_id, active_team_id, created_at, updated_at)
SELECT id, 'token-' || id, user_id, '2026-06-01 12:00'::timestamp + expires::interval, organization_id, team_id, '2026-05-20', '2026-05-30'
FROM (VALUES
	('bob1', 'bob', '1 day', 'acme', 'red'), ('bob2', 'bob', '6.5 days', 'globex', 'gold'),
	('bob3', 'bob', '2 days', 'globex', 'red'), ('bob-old', 'bob', '-1 hour', 'acme', NULL),
	('ann1', 'ann', '1 day', 'acme', 'red'), ('ann2', 'ann', '1 day', 'acme', 'blue'),
	('olga1', 'olga', '1 day', 'acme', NULL), ('otto1', 'otto', '1 day', 'globex', 'gold'),
	('dan1', 'dan', '1 day', NULL, NULL), ('dan-old', 'dan', '-2 hours', NULL, NULL)
) s (id, user_id, expires, organization_id, team_id);
INSERT INTO account (id, user_id, provider_id, account_id, password, access_token, created_at, updated_at) VALUES
	('bob-password', 'bob', 'credential', 'bob', 'hash', NULL, '2026-01-01', '2026-01-01'),
	('bob-github', 'bob', 'github', '101', NULL, 'old', '2026-01-01', '2026-01-01'),
	('ann-github', 'ann', 'github', '102', NULL, 'old', '2026-01-01', '2026-01-01'),
	('olga-password', 'olga', 'credential', 'olga', 'hash', NULL, '2026-01-01', '2026-01-01'),
	('dan-password', 'dan', 'credential', 'dan', NULL, NULL, '2026-01-01', '2026-01-01'),
	('dan-github', 'dan', 'github', '103', NULL, 'old', '2026-01-01', '2026-01-01');
INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
SELECT id, identifier, value, '2026-06-01 12:00'::timestamp + expires::interval, '2026-06-01 11:00'::timestamp + created::interval, '2026-05-30'
FROM (VALUES
	('reset-b', 'reset', 'first', '10 min', '0'), ('reset-a', 'reset', 'second', '9 min', '1 min'),
	('twin-a', 'twin', '1', '10 min', '0'), ('twin-b', 'twin', '2', '10 min', '0'),
	('late-b', 'late', 'first', '10 min', '0'), ('late-a', 'late', 'second', '-1 s', '1 min'),
	('stale', 'stale', 'only', '-1 min', '0'), ('other', 'other', 'first', '10 min', '0'),
	('code-b', 'code', '000000:0', '10 min', '0'), ('code-a', 'code', '123456:1', '10 min', '1 min'),
	('spent', 'spent', '123456:3', '10 min', '0'), ('dead', 'dead', '123456:0', '-30 s', '0')
) v (id, identifier, value, expires, created);
INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at, inviter_id)
SELECT id, organization_id, email || '@x.io', 'member', team_id, status, '2026-06-01 12:00'::timestamp + expires::interval, '2026-05-30', inviter
FROM (VALUES
	('to-cyd', 'acme', 'cyd', 'red', 'pending', '1 day', 'olga'), ('to-cyd-2', 'globex', 'cyd', 'gold', 'pending', '1 day', 'otto'),
	('to-dan', 'acme', 'dan', 'red,blue', 'pending', '1 day', 'ann'), ('to-eve', 'acme', 'eve', NULL, 'pending', '1 day', 'olga'),
	('to-fay', 'acme', 'fay', NULL, 'pending', '-1 day', 'olga'), ('to-fay-2', 'globex', 'fay', NULL, 'pending', '-1 day', 'otto'),
	('to-ann', 'acme', 'ann', 'blue', 'accepted', '1 day', 'olga'), ('to-gil', 'acme', 'gil', 'blue', 'canceled', '1 day', 'olga'),
	('to-gil-2', 'acme', 'gil', NULL, 'rejected', '-1 day', 'olga')
) i (id, organization_id, email, team_id, status, expires, inviter);
`

// manyInvitations are what one address has pending beside to-cyd, as servers without locks make it.
const manyInvitations = `INSERT INTO invitation SELECT n, 'acme', 'cyd@x.io', 'member', NULL, 'pending', '2026-06-03', c::timestamp, 'olga' FROM (VALUES
	 ('a-newest', '2026-05-31 10:00'),
	('b-newest', '2026-05-31 10:00'),
	('z-older', '2026-05-29')
) v (n, c)`

// pendingOfBob is what bob's address has, where he is a member and where he is none.
const pendingOfBob = `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01');
	INSERT INTO member VALUES ('zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01');
	INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
	SELECT id, organization_id, 'bob@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
	('to-bob', 'acme', 'pending'), ('to-bob-2', 'globex', 'pending'), ('to-bob-3', 'acme', 'rejected'), ('to-bob-4', 'zeta', 'pending')
) i (id, organization_id, status)`

const emptyWorld = `DELETE FROM organization; DELETE FROM "user"; DELETE FROM verification; DELETE FROM apikey;`

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// stage is a database with the world in it, and connections to it.
type stage struct {
	dsn     string
	admin   *pgx.Conn // makes the world, and looks on
	actors  []*pgx.Conn
	guard   atomic.Pointer[guard]
	sent    *traffic
	plugins authdb.Plugins // of the store
	ids     atomic.Int64
	ran     int
	work    sync.WaitGroup // operations under way
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{dsn: kit.Plugged.DSN(t)}
	s.admin = kit.Must[*pgx.Conn](t)(pgx.Connect(t.Context(), s.dsn))
	t.Cleanup(func() {
		s.leave()
		_ = s.admin.Close(context.Background())
	})
	return s
}

// stages let scenarios run beside each other, each in a database of its own.
type stages []*stage

func newStages(t *testing.T, n int) stages {
	t.Helper()
	var all stages
	for range n {
		all = append(all, newStage(t))
	}
	return all
}

// each calls f for 0 to n-1, on whichever stage is free.
func (all stages) each(n int, f func(s *stage, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(s, i)
			}
		})
	}
	wg.Wait()
}

// prepares checks that a query without a guard is still a query of the same parameters: its failure must be that of
// the guard.
func (all stages) prepares(t *testing.T, sent *traffic, guards []*guard) {
	t.Helper()
	conn := all[0].admin
	originals := map[string]*pgconn.StatementDescription{}
	prepare := func(sql string) (*pgconn.StatementDescription, error) {
		d, err := conn.PgConn().Prepare(t.Context(), "", sql, nil)
		return d, err
	}
	for name, sql := range sent.texts {
		originals[name] = kit.Must[*pgconn.StatementDescription](t)(prepare(sql))
	}
	for _, g := range guards {
		if g.query == "" {
			continue
		}
		got, err := prepare(g.sql)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", g.label, err, g.sql)
		}
		want := originals[g.query]
		if g.sql == sent.texts[g.query] || !slices.Equal(got.ParamOIDs, want.ParamOIDs) ||
			len(got.Fields) != len(want.Fields) {
			t.Fatalf("%s: no mutation, or another query:\n%s", g.label, g.sql)
		}
	}
}

// scenario is a situation in which an operation must do the right thing.
type scenario struct {
	name    string
	given   string         // SQL: what else there is
	free    []string       // rows, such as "organization acme": all others of their tables are locked by somebody else
	rival   string         // SQL: what another program has done without committing; the operation must wait for that
	then    string         // SQL: what it does while the operation waits
	plugins authdb.Plugins // of the store
	skips   bool           // the operation must not wait for the other program, which ends only after it
	do      operation
	fails   error // what the operation returns
	// What has changed in the end, each row on a line: "+ table id columns", "- table id", "~ table id columns".
	changes string
	run     func(ctx context.Context, s *stage) error // instead of do
}

// run sets a scene and runs a scenario with a guard missing, or none.
func (s *stage) run(sc scenario, g *guard, sent *traffic) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer s.settle(ctx, cancel)
	s.guard.Store(g)
	s.sent, s.plugins = sent, sc.plugins
	if g != nil && g.index != "" {
		undo, err := s.dropIndex(ctx, g.index)
		if err != nil {
			panic(err) // no failure of the scenario
		}
		defer undo()
	}
	if err := s.reset(ctx, sc.given); err != nil {
		panic(fmt.Sprintf("%s: %v", sc.name, err))
	}
	if sc.run != nil {
		return sc.run(ctx, s)
	}
	return s.play(ctx, sc)
}

// settle ends what is under way, and throws connections away whose state nobody knows.
func (s *stage) settle(ctx context.Context, cancel func()) {
	late := ctx.Err() != nil
	cancel()
	s.work.Wait()
	if late {
		s.leave()
	}
	s.alone()
}

// alone ends the servers of connections that are closed: a canceled statement may go on there, and meet the next scene.
func (s *stage) alone() {
	open := []uint32{}
	for _, c := range s.actors {
		if c != nil && !c.IsClosed() {
			open = append(open, c.PgConn().PID())
		}
	}
	if _, err := s.admin.Exec(context.Background(), `SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
			AND pid <> ALL ($1::int[])`, open); err != nil {
		panic(err)
	}
}

func (s *stage) leave() {
	for _, c := range s.actors {
		if c != nil {
			_ = c.Close(context.Background())
		}
	}
	s.actors = nil
}

func (s *stage) reset(ctx context.Context, given string) error {
	empty := emptyWorld
	if s.ran++; s.ran%200 == 0 { // nobody vacuums here
		empty = `TRUNCATE "user", organization, verification, apikey CASCADE;`
	}
	s.ids.Store(0)
	_, err := s.admin.Exec(ctx, empty+world+given)
	return err
}

func (s *stage) dropIndex(ctx context.Context, index string) (undo func(), err error) {
	var definition, constraint string
	err = s.admin.QueryRow(ctx, `SELECT pg_get_indexdef(i.oid), CASE WHEN c.oid IS NULL THEN ''
			ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) END
		FROM pg_class i LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'u' WHERE i.relname = $1`, index).
		Scan(&definition, &constraint)
	if err != nil {
		return nil, err
	}
	drop := constraint
	if drop == "" {
		drop = `DROP INDEX ` + pgx.Identifier{index}.Sanitize()
	}
	_, err = s.admin.Exec(ctx, emptyWorld+drop)
	return func() {
		if constraint != "" {
			table := strings.Fields(constraint)[2]
			definition += fmt.Sprintf("; ALTER TABLE %s ADD CONSTRAINT %q UNIQUE USING INDEX %q", table, index, index)
		}
		if _, err := s.admin.Exec(context.Background(), emptyWorld+definition); err != nil {
			panic(err)
		}
	}, err
}

// actor is one connection: a program of its own.
type actor struct {
	*authdb.Store
	stage *stage
	conn  *pgx.Conn
	tries *tries
}

// actor returns the i-th connection, in no transaction.
func (s *stage) actor(ctx context.Context, i int) (*actor, error) {
	for len(s.actors) <= i {
		s.actors = append(s.actors, nil)
	}
	if c := s.actors[i]; c != nil && (c.IsClosed() || c.PgConn().TxStatus() != 'I') {
		_ = c.Close(context.Background())
		s.actors[i] = nil
	}
	if s.actors[i] == nil {
		c, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			return nil, err
		}
		s.actors[i] = c
	}
	conn := s.actors[i]
	tries := &tries{sent: map[string]bool{}}
	return &actor{s.store(mutatingConn{mutating{conn, &s.guard, s.sent, tries}, conn}), s, conn, tries}, nil
}

// store is one whose clock stands at noon, and whose ids and tokens count up.
func (s *stage) store(db authdb.DB) *authdb.Store {
	return authdb.New(db, authdb.WithClock(func() time.Time { return noon }),
		authdb.WithIDs(func() string { return fmt.Sprintf("new%d", s.ids.Add(1)) }),
		authdb.WithTokens(func() string { return fmt.Sprintf("token%d", s.ids.Add(1)) }), authdb.WithPlugins(s.plugins))
}

// pool is for many operations at once.
func (s *stage) pool(ctx context.Context, conns int32) (*authdb.Store, func(), error) {
	cfg, err := pgxpool.ParseConfig(s.dsn)
	if err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return s.store(mutating{pool, &s.guard, s.sent, nil}), pool.Close, nil
}

// call is an operation under way.
type call struct {
	actor *actor
	done  chan struct{}
	err   error // once done
}

// start begins an operation on the actor's connection.
func (a *actor) start(ctx context.Context, do operation) *call {
	c := &call{actor: a, done: make(chan struct{})}
	a.stage.work.Go(func() {
		defer close(c.done)
		defer func() {
			if r := recover(); r != nil { // over rows that a query with its guards does not return
				c.err = fmt.Errorf("panic: %v", r)
			}
		}()
		a.tries.reset()
		c.err = do(ctx, a.Store)
		if a.tries.reset() {
			c.err = fmt.Errorf("was the victim of a deadlock; tried again, it returned %s", fmt.Sprint(c.err))
		}
	})
	return c
}

// waits reports whether the operation waits for a lock of one of the others; else it has ended. It looks until one of
// the two is so.
func (c *call) waits(ctx context.Context, others ...*actor) (bool, error) {
	pids := make([]int32, len(others))
	for i, other := range others {
		pids[i] = int32(other.conn.PgConn().PID())
	}
	for {
		var waiting bool
		if err := c.actor.stage.admin.QueryRow(ctx, `SELECT pg_blocking_pids($1) && $2`,
			int32(c.actor.conn.PgConn().PID()), pids).Scan(&waiting); err != nil || waiting {
			return waiting, err
		}
		select {
		case <-c.done:
			return false, nil
		case <-time.After(time.Millisecond):
		}
	}
}

func (c *call) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold locks all rows of the tables in free but those named there.
func (a *actor) hold(ctx context.Context, free []string) error {
	tables := map[string][]string{}
	for _, row := range free {
		table, id, _ := strings.Cut(row, " ")
		tables[table] = append(tables[table], id)
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		lock := fmt.Sprintf(`SELECT FROM %q WHERE id <> ALL($1) FOR UPDATE`, table)
		if _, err := a.conn.Exec(ctx, lock, tables[table]); err != nil {
			return err
		}
	}
	return nil
}

// play runs a scenario that has no run of its own.
func (s *stage) play(ctx context.Context, sc scenario) error {
	actor, err := s.actor(ctx, 0)
	if err != nil {
		return err
	}
	rival, err := s.actor(ctx, 1)
	if err != nil {
		return err
	}
	before, err := s.rows(ctx)
	if err != nil {
		return err
	}
	if _, err := rival.conn.Exec(ctx, "BEGIN;"+sc.rival); err != nil {
		panic(fmt.Sprintf("%s: %v", sc.name, err))
	}
	defer func() { _, _ = rival.conn.Exec(ctx, "ROLLBACK") }()
	if err := rival.hold(ctx, sc.free); err != nil {
		return err
	}
	op := actor.start(ctx, sc.do)
	waits, err := op.waits(ctx, rival)
	if err != nil {
		return err
	}
	if want := sc.rival != "" && !sc.skips; waits != want {
		return fmt.Errorf("waits for the other: %v, want %v (%w)", waits, want, errors.Join(sc.fails, op.ended()))
	}
	end := sc.then + ";COMMIT"
	if _, err := rival.conn.Exec(ctx, end); err != nil {
		return err
	}
	if err := op.wait(ctx); !isKind(err, sc.fails) {
		return fmt.Errorf("returns %s, want %s", fmt.Sprint(err), fmt.Sprint(sc.fails))
	}
	return s.changed(ctx, before, sc.changes)
}

// isKind is errors.Is for the very kind: ErrNotRecipient is no ErrNotFound here.
func isKind(err, kind error) bool {
	if kind == nil {
		return err == nil
	}
	e, ok := errors.AsType[*authdb.Error](err)
	return ok && slices.Contains(e.Unwrap(), kind)
}

func (c *call) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *call) ended() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

type rowSet map[string]map[string]any // by table and id

// rows returns all that the database holds.
func (s *stage) rows(ctx context.Context) (rowSet, error) {
	var parts []string
	for _, table := range []string{
		"user", "session", "account", "verification", "organization", "member", "team", "team_member", "invitation", "apikey",
	} {
		parts = append(parts, fmt.Sprintf(`SELECT '%s ' || id, to_jsonb(t) FROM %q t`, table, table))
	}
	rows, err := s.admin.Query(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return nil, err
	}
	all := rowSet{}
	var key string
	var row map[string]any
	_, err = pgx.ForEachRow(rows, []any{&key, &row}, func() error {
		all[key], row = row, nil
		return nil
	})
	return all, err
}

// changed compares what has changed since with what should have.
func (s *stage) changed(ctx context.Context, before rowSet, want string) error {
	after, err := s.rows(ctx)
	if err != nil {
		return err
	}
	var wanted []string
	for line := range strings.Lines(want) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			wanted = append(wanted, line)
		}
	}
	slices.Sort(wanted)
	if got := diffRows(before, after); !slices.Equal(got, wanted) {
		return fmt.Errorf("changes:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(wanted, "\n\t"))
	}
	return nil
}

// stamps are left out of what is told of a new row.
var stamps = []string{"created_at", "updated_at", "membership_key", "key", "start"}

func diffRows(before, after rowSet) (lines []string) {
	for key, row := range after {
		old, ok := before[key]
		sign := "~ "
		if !ok {
			sign = "+ "
		}
		var columns []string
		for _, column := range slices.Sorted(maps.Keys(row)) {
			switch value := fmt.Sprint(row[column]); {
			case fmt.Sprint(old[column]) == value, column == "id", sign == "+ " && slices.Contains(stamps, column):
			case column == "updated_at":
				columns = append(columns, "updated")
			default:
				columns = append(columns, column+"="+strings.ReplaceAll(strings.TrimPrefix(value, "2026-"), "<nil>", "NULL"))
			}
		}
		if len(columns) > 0 {
			lines = append(lines, sign+key+" "+strings.Join(columns, " "))
		}
	}
	for key := range before {
		if _, ok := after[key]; !ok {
			lines = append(lines, "- "+key)
		}
	}
	slices.Sort(lines)
	return lines
}

// operation is one, and a check of what it returns.
type operation = func(ctx context.Context, s *authdb.Store) error

// returned fails where an operation returned something else.
func returned[T comparable](got, want T, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("returned %v, want %v", got, want)
	}
	return err
}

// inTurn runs operations one after the other, so that the order of rows cannot be that of all answers.
func inTurn(all ...operation) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		for _, do := range all {
			a, err := s.actor(ctx, 0)
			if err == nil {
				err = do(ctx, a.Store)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func doLogin(user string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user})
		return returned(row.UserID, user, err)
	}
}

// doAuthenticate asks for the session by itself and in a list, which must agree.
func doAuthenticate(session string, want ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		token, other := authdb.Secret("token-"+session), authdb.Secret("token-ann1")
		if token == other {
			other = "token-bob3"
		}
		opens := func(a authdb.Authentication) error {
			is := []string{a.Session.ID, a.User.ID, "", ""}
			if a.Member != nil {
				is[2] = a.Member.ID
			}
			if a.Team != nil {
				is[3] = a.Team.ID
			}
			return returned(strings.Join(is, " "), strings.Join(want, " "), nil)
		}
		a, err := s.Sessions.Authenticate(ctx, token)
		if err == nil {
			err = opens(a)
		}
		all, allErr := s.Sessions.AuthenticateMany(ctx, []authdb.Secret{"none", token, other})
		switch found := errors.Is(err, authdb.ErrNotFound); {
		case allErr != nil:
			return allErr
		case len(all) == 0 || all[len(all)-1].Session.Token != other || found == (len(all) == 2):
			return fmt.Errorf("alone %t, in a list %d rows", err == nil, len(all))
		case found:
			return err
		}
		return cmp.Or(err, opens(all[0]))
	}
}

func doRefresh(session string, due bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret("token-" + session)})
		return returned(fmt.Sprint(row.ID, row.Refreshed), fmt.Sprint(session, due), err)
	}
}

func doProlong(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.UpdateSessionParams{ExpiresAt: authdb.Set(noon.Add(time.Hour))}
		row, err := s.Sessions.UpdateByToken(ctx, authdb.Secret("token-"+session), p)
		return returned(row.ID, session, err)
	}
}

func doActivate(user, session, organization string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: user, Token: authdb.Secret("token-" + session), OrganizationID: organization,
		})
		return returned(row.ID, session, err)
	}
}

func doActivateTeam(user, session, team string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{
			UserID: user, Token: authdb.Secret("token-" + session), TeamID: team,
		})
		return returned(row.ID, session, err)
	}
}

func doRevoke(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Sessions.DeleteByToken(ctx, authdb.Secret("token-"+session))
	}
}

func doRevokeByID(user, session string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Sessions.Delete(ctx, user, session) }
}

func doRevokeTokens(sessions ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		tokens := make([]authdb.Secret, len(sessions))
		for i, session := range sessions {
			tokens[i] = authdb.Secret("token-" + session)
		}
		n, err := s.Sessions.DeleteByTokens(ctx, tokens)
		return returned(int(n), len(sessions), err)
	}
}

func idsOf[T any](rows []T, id func(T) string) string {
	var all []string
	for _, row := range rows {
		all = append(all, id(row))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func sessionID(s authdb.Session) string { return s.ID }

func doRevokeAll(user, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.Sessions.DeleteByUser(ctx, user)
		return returned(idsOf(rows, sessionID), want, err)
	}
}

func doRevokeOthers(user, session, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.Sessions.DeleteOthers(ctx, user, session)
		return returned(idsOf(rows, sessionID), want, err)
	}
}

// squatter is what somebody made with an address that is not theirs.
const squatter = `INSERT INTO account (id, user_id, provider_id, account_id, password, created_at, updated_at) VALUES
		('eve-password', 'eve', 'credential', 'eve', 'hash', '2026-01-01', '2026-01-01'),
		('eve-github', 'eve', 'github', '104', NULL, '2026-01-01', '2026-01-01');
	INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES
		('eve1', 'token-eve1', 'eve', '2026-06-08', '2026-05-30', '2026-05-30'),
		('eve2', 'token-eve2', 'eve', '2026-05-01', '2026-05-30', '2026-05-30')`

func doVerify(user, email string, keep bool, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		got, err := s.Users.VerifyEmail(ctx, user, authdb.VerifyEmailParams{Email: email + "@x.io", KeepAccess: keep})
		return returned(got.User.ID+" "+idsOf(got.Sessions, sessionID), user+" "+want, err)
	}
}

func doPurge(limit, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Sessions.DeleteExpired(ctx, limit)
		return returned(int(n), want, err)
	}
}

func doPurgeVerifications(limit, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Verifications.DeleteExpired(ctx, limit)
		return returned(int(n), want, err)
	}
}

func doInvite(organization, inviter, email string, want string, edit ...func(*authdb.CreateInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.CreateInvitationParams{OrganizationID: organization, InviterID: inviter, Email: email + "@x.io"}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Create(ctx, p)
		return returned(row.ID, want, err)
	}
}

func asOwner(p *authdb.CreateInvitationParams) { p.Role = "admin, owner" }

func asAdmin(p *authdb.CreateInvitationParams) { p.Role = "admin" }

func forAnHour(p *authdb.CreateInvitationParams) { p.ExpiresAt = noon.Add(time.Hour) }

func upTo(limit int) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.MaxPending = limit }
}

func withTeams(teams ...string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.TeamIDs = teams }
}

func verified(p *authdb.AcceptInvitationParams) { p.AllowUnverified = false }

func within(members, teamMembers int) func(*authdb.AcceptInvitationParams) {
	return func(p *authdb.AcceptInvitationParams) { p.MaxMembers, p.MaxTeamMembers = members, teamMembers }
}

func doAccept(invitation, user string, again bool, edit ...func(*authdb.AcceptInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.AcceptInvitationParams{InvitationID: invitation, UserID: user, AllowUnverified: true}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Accept(ctx, p)
		if err != nil {
			return err
		}
		m := row.Member
		return returned(fmt.Sprint(row.ID, row.Status, m.UserID, m.OrganizationID, row.AlreadyAccepted),
			fmt.Sprint(invitation, "accepted", user, row.OrganizationID, again), nil)
	}
}

func doReject(invitation, user string, edit ...func(*authdb.RejectInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.RejectInvitationParams{InvitationID: invitation, UserID: user, AllowUnverified: true}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Reject(ctx, p)
		return returned(row.ID+row.Status, invitation+"rejected", err)
	}
}

func doCancel(organization, invitation string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Invitations.Cancel(ctx, organization, invitation)
		return returned(row.ID+row.Status, invitation+"canceled", err)
	}
}

func doAddMembers(members ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		var ps []authdb.CreateMemberParams
		for _, m := range members {
			var p authdb.CreateMemberParams
			_, _ = fmt.Sscan(m, &p.OrganizationID, &p.UserID, &p.MaxMembers)
			ps = append(ps, p)
		}
		return kit.Some(s.Members.CreateMany(ctx, ps))
	}
}

func doAddMember(organization, user string, limit int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{
			OrganizationID: organization, UserID: user, MaxMembers: limit,
		}))
	}
}

func doSetRole(organization, member, role string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Members.Update(ctx, organization, member, authdb.UpdateMemberParams{Role: authdb.Set(role)})
		return returned(row.ID+row.Role, member+role, err)
	}
}

func doRemoveMember(organization, member string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: organization, MemberID: member})
	}
}

func doLeave(organization, user string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Members.Leave(ctx, organization, user) }
}

func doCreateTeam(organization string, limit int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return kit.ErrOf(s.Teams.Create(ctx, authdb.CreateTeamParams{
			OrganizationID: organization, Name: "New", MaxTeams: limit,
		}))
	}
}

func doDeleteTeam(organization, team string, last bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: organization, TeamID: team, AllowLast: last})
	}
}

func doJoin(organization, team string, limit int, users ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.TeamMembers.CreateMany(ctx, kit.SeatsOf(organization, team, limit, users...))
		if err != nil {
			return err
		}
		var is, want string
		for _, row := range rows {
			is += " " + row.TeamID + "-" + row.UserID
		}
		for _, user := range users {
			want += " " + team + "-" + user
		}
		return returned(is, want, nil)
	}
}

func doQuit(organization, team, user string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.TeamMembers.DeleteByUser(ctx, organization, team, user)
	}
}

func doDeleteUser(user string, p authdb.DeleteUserParams, wantSessions, wantOrganizations string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p.UserID = user
		gone, err := s.Users.Delete(ctx, p)
		is := idsOf(gone.Sessions, sessionID) + ";" + strings.Join(gone.OrganizationIDs, " ")
		return returned(is, wantSessions+";"+wantOrganizations, err)
	}
}

func doCreateOrganization(owner, slug string, team bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Name: "New", Slug: slug, OwnerID: owner, DefaultTeam: team,
		})
		return returned(row.Slug, slug, err)
	}
}

func doDeleteOrganization(organization, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		gone, err := s.Organizations.Delete(ctx, organization)
		return returned(idsOf(gone.Sessions, sessionID), want, err)
	}
}

func doLink(user, accountID, token string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: user, ProviderID: "github", AccountID: accountID, AccessToken: (*authdb.Secret)(&token),
		})
		return returned(row.UserID+row.AccountID, user+accountID, err)
	}
}

func doUnlink(user, account string, last bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: user, ID: account, AllowLast: last})
	}
}

func doConsume(identifier, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Verifications.Consume(ctx, authdb.Secret(identifier))
		return returned(row.ID, want, err)
	}
}

func doConsumeValue(identifier, value, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Verifications.ConsumeValue(ctx, authdb.Secret(identifier), authdb.Secret(value))
		return returned(row.ID, want, err)
	}
}

func doGuess(identifier, code string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(identifier), Code: authdb.Secret(code), InTx: true})
	}
}

func doSetEmail(user, email string, verified bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Users.SetEmail(ctx, user, authdb.SetEmailParams{Email: email + "@x.io", Verified: verified})
		return returned(row.ID, user, err)
	}
}

// meeting is an operation that waits for one program while another makes something and changes that without committing.
type meeting struct {
	holds     string // what the operation waits for first
	meanwhile string // is committed while it waits
	then      string // is under way when the operation goes on, which must wait for that, too
	do        operation
	fails     error
	changes   string
}

func (s *stage) meets(ctx context.Context, m meeting) error {
	var actors [3]*actor
	for i := range actors {
		a, err := s.actor(ctx, i)
		if err != nil {
			return err
		}
		actors[i] = a
	}
	op, holder, other := actors[0], actors[1], actors[2]
	before, err := s.rows(ctx)
	if err != nil {
		return err
	}
	if _, err := holder.conn.Exec(ctx, "BEGIN;"+m.holds); err != nil {
		panic(err)
	}
	defer func() {
		_, _ = holder.conn.Exec(ctx, "ROLLBACK")
		_, _ = other.conn.Exec(ctx, "ROLLBACK")
	}()
	call := op.start(ctx, m.do)
	if waits, err := call.waits(ctx, holder); err != nil || !waits {
		return fmt.Errorf("does not wait for the first: %w", errors.Join(err, call.ended()))
	}
	for _, sql := range []string{m.meanwhile, "BEGIN;" + m.then} {
		if _, err := other.conn.Exec(ctx, sql); err != nil {
			panic(err)
		}
	}
	if _, err := holder.conn.Exec(ctx, "COMMIT"); err != nil {
		return err
	}
	if waits, err := call.waits(ctx, other); err != nil || !waits {
		return fmt.Errorf("does not wait for the second: %w", errors.Join(err, call.ended()))
	}
	if _, err := other.conn.Exec(ctx, "COMMIT"); err != nil {
		return err
	}
	if err := call.wait(ctx); !isKind(err, m.fails) {
		return fmt.Errorf("returns %s, want %s", fmt.Sprint(err), fmt.Sprint(m.fails))
	}
	return s.changed(ctx, before, m.changes)
}

// inOrder checks that an operation locks rows in the order of their ids: it must wait for the last, and hold the first
// by then.
func inOrder(lock, probe string, do operation) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		a, err := s.actor(ctx, 0)
		if err != nil {
			return err
		}
		rival, err := s.actor(ctx, 1)
		if err != nil {
			return err
		}
		if _, err := rival.conn.Exec(ctx, "BEGIN;"+lock); err != nil {
			return err
		}
		defer func() { _, _ = rival.conn.Exec(ctx, "ROLLBACK") }()
		op := a.start(ctx, do)
		if waits, err := op.waits(ctx, rival); err != nil || !waits {
			return fmt.Errorf("does not wait for the last row: %w", errors.Join(err, op.ended()))
		}
		var free int
		if err := s.admin.QueryRow(ctx, `SELECT count(*) FROM (`+probe+` SKIP LOCKED) free`).Scan(&free); err != nil || free > 0 {
			return fmt.Errorf("waits for the last row before it has locked the first (%s)", fmt.Sprint(err))
		}
		if _, err := rival.conn.Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		return op.wait(ctx)
	}
}

// storm runs n operations at once, of which those that wins counts must be one.
func storm(n int, do func(i int) operation, loses error) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		store, done, err := s.pool(ctx, 16)
		if err != nil {
			return err
		}
		defer done()
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { errs[i] = do(i)(ctx, store) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, loses) {
				return err
			}
		}
		if won != 1 {
			return fmt.Errorf("%d of %d won", won, n)
		}
		return nil
	}
}

func doUpdateAccount(user, account string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Accounts.Update(ctx, user, account, authdb.UpdateAccountParams{Scope: authdb.Set("repo")})
		return returned(row.ID, account, err)
	}
}

func doSetPassword(user string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Accounts.SetPassword(ctx, user, "new hash") }
}

func doRenameTeam(organization, team string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Teams.Update(ctx, organization, team, authdb.UpdateTeamParams{Name: authdb.Set("New")})
		return returned(row.ID, team, err)
	}
}

func doRecount(organization string, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Teams.RecountMembers(ctx, organization)
		return returned(int(n), want, err)
	}
}

func doPendingInvitation(organization, email, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Invitations.GetPending(ctx, organization, email+"@x.io")
		return returned(row.ID, want, err)
	}
}

func doSignUp(name string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.InTx(ctx, func(s *authdb.Store) error {
			user, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: name, Email: name + "@x.io"})
			if err != nil {
				return err
			}
			return kit.ErrOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{
				UserID: user.ID, ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash")),
			}))
		})
	}
}

func doProve(identifier string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		v, err := s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(identifier), Value: "new", ExpiresAt: noon.Add(time.Hour),
		})
		return returned(v.CreatedAt, noon, err)
	}
}

var errNotDue = errors.New("not due")

// doRefreshed is doRefresh for one of many, of which one finds the session due.
func doRefreshed(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret("token-" + session)})
		if err == nil && !row.Refreshed {
			return errNotDue
		}
		return err
	}
}

// keyOnce joins a team, and then adds the same as Better Auth 1.7 does: its conflict target must find the row.
func keyOnce(ctx context.Context, s *stage) error {
	a, err := s.actor(ctx, 0)
	if err != nil {
		return err
	}
	if err := doJoin("acme", "blue", 0, "bob")(ctx, a.Store); err != nil {
		return err
	}
	tag, err := a.conn.Exec(ctx, `INSERT INTO team_member (id, team_id, user_id, membership_key)
		SELECT 'again', team_id, user_id, membership_key FROM team_member WHERE team_id = 'blue' AND user_id = 'bob'
		ON CONFLICT (membership_key) DO NOTHING`)
	return returned(tag.RowsAffected(), 0, err)
}

// scenarios are the promises of the operations.
func scenarios(t *testing.T) []scenario {
	t.Helper()
	return withPlugins([]scenario{
		{
			name:    "a sign-in adds a session",
			do:      doLogin("dan"),
			changes: `+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=dan`,
		},
		{
			name: "a user is made with an account",
			do:   doSignUp("hal"),
			changes: `
				+ account new2 account_id=new1 password=hash provider_id=credential user_id=new1
				+ user new1 banned=false email=hal@x.io email_verified=false name=hal two_factor_enabled=false`,
		},
		{
			name:    "a verification is made",
			do:      doProve("reset"),
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=reset value=new`,
		},
		{
			name:  "a verification is the newest of its identifier",
			given: "UPDATE verification SET created_at = '2026-06-01 13:00' WHERE id = 'reset-a'; UPDATE verification SET created_at = '2027-01-01' WHERE id = 'twin-a'",
			do: func(ctx context.Context, s *authdb.Store) error {
				v, err := s.Verifications.Create(ctx, authdb.CreateVerificationParams{Identifier: "reset", ExpiresAt: noon.Add(time.Hour)})
				return returned(v.CreatedAt.Format("15:04:05.000 ")+v.UpdatedAt.Format("15:04:05.000"), "13:00:00.001 13:00:00.001", err)
			},
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=reset value=`,
		},
		{
			name: "sessions are added",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.Some(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: "dan"}, {UserID: "bob", ActiveTeamID: new("red")}}))
			},
			changes: `
				+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=dan
				+ session new3 active_team_id=red expires_at=06-08T12:00:00 ip_address= token=token4 user_agent= user_id=bob`,
		},
		{
			name: "invitations are canceled, each by its id",
			run:  inTurn(doCancel("acme", "to-cyd"), doCancel("acme", "to-eve"), doCancel("acme", "to-dan")),
		},
		{
			name: "sessions are activated, each by its token",
			run:  inTurn(doActivate("bob", "bob1", "acme"), doActivate("bob", "bob2", "globex"), doActivate("bob", "bob3", "globex")),
		},
		{
			name: "a session opens its organization and team",
			do:   doAuthenticate("ann1", "ann1", "ann", "acme-ann", "red"),
		},
		{
			name:  "a session opens no organization unless one is active",
			given: "UPDATE session SET active_organization_id = NULL WHERE id = 'bob1'",
			do:    doAuthenticate("bob1", "bob1", "bob", "", ""),
		},
		{
			name:  "a session opens no team unless one is active",
			given: "UPDATE session SET active_team_id = NULL WHERE id = 'bob1'",
			do:    doAuthenticate("bob1", "bob1", "bob", "acme-bob", ""),
		},
		{
			name:  "a session opens no organization that its user has left",
			given: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doAuthenticate("bob1", "bob1", "bob", "", ""),
		},
		{
			name:  "a session opens no team that its user has left",
			given: "DELETE FROM team_member WHERE id = 'red-bob'",
			do:    doAuthenticate("bob1", "bob1", "bob", "acme-bob", ""),
		},
		{
			name: "a session opens no team of another organization",
			do:   doAuthenticate("bob3", "bob3", "bob", "globex-bob", ""),
		},
		{
			name:  "an expired session opens nothing",
			do:    doAuthenticate("bob-old"),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "a refresh prolongs a session that is due",
			do:      doRefresh("ann1", true),
			changes: `~ session ann1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name: "a refresh leaves a session that is not due",
			do:   doRefresh("bob2", false),
		},
		{
			name:  "a refresh leaves a session that was made for a day",
			given: "UPDATE session SET created_at = expires_at - interval '1 day' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:  "a refresh leaves a session that was made for an hour, whenever it was changed",
			given: "UPDATE session SET created_at = '2026-06-01 11:30', expires_at = '2026-06-01 12:30', updated_at = '2026-06-01 11:59' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:  "a refresh leaves a session that is a second short of the lifetime",
			given: "UPDATE session SET created_at = expires_at - interval '7 days -1 second' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:    "a refresh prolongs a session that was written a moment after its end was reckoned",
			given:   "UPDATE session SET created_at = expires_at - interval '7 days -0.999 seconds' WHERE id = 'ann1'",
			do:      doRefresh("ann1", true),
			changes: `~ session ann1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name: "a refresh leaves a session that impersonates, however long it was made for",
			given: `ALTER TABLE session ADD COLUMN IF NOT EXISTS impersonated_by text;
				UPDATE session SET impersonated_by = 'olga' WHERE id = 'ann1'`,
			do: doRefresh("ann1", false),
		},
		{
			name:  "a refresh brings back no expired session",
			do:    doRefresh("bob-old", false),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "a refresh brings back no revoked session",
			do:    doRefresh("gone", false),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "deleting an organization that is not there",
			do:    doDeleteOrganization("nowhere", ""),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "a team is not made active in an organization that is active no longer",
			rival:   "UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'",
			do:      doActivateTeam("bob", "bob1", "red"),
			fails:   authdb.ErrNotMember,
			changes: `~ session bob1 active_organization_id=globex`,
		},
		{
			name:  "where nobody is an owner, a role is changed",
			given: "UPDATE member SET role = 'admin' WHERE role = 'owner'",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Members.Update(ctx, "acme", "acme-bob", authdb.UpdateMemberParams{Role: authdb.Set("admin")}))
			},
			changes: `~ member acme-bob role=admin`,
		},
		{
			name:    "a refresh waits for a revocation and fails",
			rival:   "DELETE FROM session WHERE id = 'bob1'",
			do:      doRefresh("bob1", true),
			fails:   authdb.ErrNotFound,
			changes: `- session bob1`,
		},
		{
			name: "a refresh waits for another and leaves it",
			rival: `UPDATE session SET expires_at = '2026-06-08 12:00', updated_at = '2026-06-01 12:00' WHERE id =
				'bob1'`,
			do:      doRefresh("bob1", false),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name:    "an update changes one session",
			do:      doProlong("ann1"),
			changes: `~ session ann1 expires_at=06-01T13:00:00 updated`,
		},
		{
			name:    "a member's session changes its organization, and loses a team of another",
			free:    []string{"organization globex", "member globex-bob"},
			do:      doActivate("bob", "bob1", "globex"),
			changes: `~ session bob1 active_organization_id=globex active_team_id=NULL updated`,
		},
		{
			name:    "a session keeps a team of the organization that it enters",
			do:      doActivate("bob", "bob3", "acme"),
			changes: `~ session bob3 active_organization_id=acme updated`,
		},
		{
			name:    "a session keeps no team that its user is not in",
			given:   "UPDATE session SET active_team_id = 'blue' WHERE id = 'bob1'",
			do:      doActivate("bob", "bob1", "acme"),
			changes: `~ session bob1 active_team_id=NULL updated`,
		},
		{
			name:    "a session leaves its organization",
			do:      doActivate("bob", "bob1", ""),
			changes: `~ session bob1 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name:  "nobody makes an organization active in another's session",
			do:    doActivate("ann", "bob1", "acme"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "nobody makes an organization active in an expired session",
			do:    doActivate("bob", "bob-old", "globex"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "nobody makes an organization active without a membership",
			do:    doActivate("dan", "dan1", "acme"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a member of another organization makes none active",
			do:    doActivate("otto", "otto1", "acme"),
			fails: authdb.ErrNotMember,
		},
		{
			name:    "making an organization active waits for the member's removal",
			rival:   "DELETE FROM member WHERE id = 'globex-bob'",
			do:      doActivate("bob", "bob1", "globex"),
			fails:   authdb.ErrNotMember,
			changes: `- member globex-bob`,
		},
		{
			name:  "making an organization active waits for its deletion",
			rival: "SELECT FROM organization WHERE id = 'globex' FOR UPDATE",
			then:  "DELETE FROM organization WHERE id = 'globex'",
			do:    doActivate("bob", "bob1", "globex"),
			fails: authdb.ErrNotMember,
			changes: `
				- invitation to-cyd-2
				- invitation to-fay-2
				- member globex-bob
				- member globex-otto
				- organization globex
				- team gold
				- team_member gold-bob
				- team_member gold-otto`,
		},
		{
			name:    "a team member's session changes its team",
			free:    []string{"team blue", "team_member blue-ann"},
			do:      doActivateTeam("ann", "ann1", "blue"),
			changes: `~ session ann1 active_team_id=blue updated`,
		},
		{
			name:    "a session enters a team",
			given:   "UPDATE session SET active_team_id = NULL WHERE id = 'bob1'",
			free:    []string{"organization acme", "member acme-bob", "team red", "team_member red-bob"},
			do:      doActivateTeam("bob", "bob1", "red"),
			changes: `~ session bob1 active_team_id=red updated`,
		},
		{
			name:    "a session leaves its team",
			do:      doActivateTeam("bob", "bob1", ""),
			changes: `~ session bob1 active_team_id=NULL updated`,
		},
		{
			name:  "a session enters no team that its user is not in",
			do:    doActivateTeam("bob", "bob1", "blue"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a session enters no team of another organization",
			do:    doActivateTeam("bob", "bob1", "gold"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a session enters no team of an organization that is not active",
			do:    doActivateTeam("bob", "bob2", "red"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a session enters no team of an organization that its user has left",
			given: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doActivateTeam("bob", "bob1", "red"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "nobody makes a team active in another's session",
			do:    doActivateTeam("ann", "bob1", "red"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "nobody makes a team active in an expired session",
			do:    doActivateTeam("bob", "bob-old", "red"),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "making a team active waits for the team member's removal",
			rival:   "DELETE FROM team_member WHERE id = 'red-bob'",
			do:      doActivateTeam("bob", "bob1", "red"),
			fails:   authdb.ErrNotMember,
			changes: `- team_member red-bob`,
		},
		{
			name:  "making a team active waits for its deletion",
			rival: "SELECT FROM team WHERE id = 'red' FOR UPDATE",
			then:  "DELETE FROM team WHERE id = 'red'",
			do:    doActivateTeam("bob", "bob1", "red"),
			fails: authdb.ErrNotMember,
			changes: `
				- team red
				- team_member red-ann
				- team_member red-bob`,
		},
		{
			name:    "a revocation by token ends one session",
			do:      doRevoke("bob1"),
			changes: `- session bob1`,
		},
		{
			name: "a revocation by tokens ends those sessions",
			do:   doRevokeTokens("bob1", "ann1"),
			changes: `
				- session ann1
				- session bob1`,
		},
		{
			name:    "a revocation by id ends one session",
			do:      doRevokeByID("bob", "bob1"),
			changes: `- session bob1`,
		},
		{
			name:  "nobody revokes another's session",
			do:    doRevokeByID("ann", "bob1"),
			fails: authdb.ErrNotFound,
		},
		{
			name: "revoking all ends all of a user's sessions",
			free: []string{"user bob"},
			do:   doRevokeAll("bob", "bob-old bob1 bob2 bob3"),
			changes: `
				- session bob-old
				- session bob1
				- session bob2
				- session bob3`,
		},
		{
			name: "revoking all waits for a sign-in and ends it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do: doRevokeAll("ann", "ann1 ann2 ann3"),
			changes: `
				- session ann1
				- session ann2`,
		},
		{
			name: "revoking the others keeps one",
			free: []string{"user bob"},
			do:   doRevokeOthers("bob", "bob2", "bob-old bob1 bob3"),
			changes: `
				- session bob-old
				- session bob1
				- session bob3`,
		},
		{
			name: "revoking the others waits for a sign-in and ends it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do:      doRevokeOthers("ann", "ann1", "ann2 ann3"),
			changes: `- session ann2`,
		},
		{
			name: "a purge takes the expired sessions only",
			do:   doPurge(100, 2),
			changes: `
				- session bob-old
				- session dan-old`,
		},
		{
			name:    "a purge takes the oldest first",
			do:      doPurge(1, 1),
			changes: `- session dan-old`,
		},
		{
			name:  "a purge passes over a session that is being refreshed",
			rival: "UPDATE session SET expires_at = '2026-06-08 12:00' WHERE id = 'bob-old'",
			skips: true,
			do:    doPurge(100, 1),
			changes: `
				- session dan-old
				~ session bob-old expires_at=06-08T12:00:00`,
		},
		{
			name:    "a link adds an account",
			do:      doLink("dan", "104", "new"),
			changes: `+ account new1 access_token=new account_id=104 provider_id=github user_id=dan`,
		},
		{
			name:    "a link again renews the tokens",
			do:      doLink("bob", "101", "new"),
			changes: `~ account bob-github access_token=new updated`,
		},
		{
			name:  "a link again adds scopes to those that were granted",
			given: "UPDATE account SET scope = 'openid, email,,drive' WHERE id = 'bob-github'",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Accounts.Link(ctx, authdb.CreateAccountParams{
					UserID: "bob", ProviderID: "github", AccountID: "101", Scope: new("email,calendar,openid"),
				}))
			},
			changes: `~ account bob-github scope=openid,email,drive,calendar updated`,
		},
		{
			name:  "a link never moves an identity",
			do:    doLink("ann", "101", "new"),
			fails: authdb.ErrAccountTaken,
		},
		{
			name: "a link waits for another's of the same identity",
			rival: `INSERT INTO account (id, user_id, provider_id, account_id, updated_at) VALUES ('theirs', 'ann',
				'github', '104', '2026-06-01')`,
			do:      doLink("bob", "104", "new"),
			fails:   authdb.ErrAccountTaken,
			changes: `+ account theirs account_id=104 provider_id=github user_id=ann`,
		},
		{
			name: "an identity is one user's",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: "dan", ProviderID: "github", AccountID: "102"}))
			},
			fails: authdb.ErrAccountTaken,
		},
		{
			name:    "an update changes one account",
			do:      doUpdateAccount("bob", "bob-github"),
			changes: `~ account bob-github scope=repo updated`,
		},
		{
			name:  "nobody updates another's account",
			do:    doUpdateAccount("ann", "bob-github"),
			fails: authdb.ErrNotFound,
		},
		{
			name: "a password is set in the credential account",
			given: `INSERT INTO account (id, user_id, provider_id, account_id, updated_at) VALUES ('odd', 'bob',
				'credential', 'zed', '2026-01-01'), ('odd2', 'bob', 'github', 'bob', '2026-01-01')`,
			do:      doSetPassword("bob"),
			changes: `~ account bob-password password=new hash updated`,
		},
		{
			name:  "no password is set in another's account",
			given: "UPDATE account SET user_id = 'dan' WHERE id = 'bob-password'",
			do:    doSetPassword("bob"),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "an account is unlinked",
			free:    []string{"user bob"},
			do:      doUnlink("bob", "bob-github", false),
			changes: `- account bob-github`,
		},
		{
			name:  "the last account stays",
			do:    doUnlink("ann", "ann-github", false),
			fails: authdb.ErrLastAccount,
		},
		{
			name:    "the last account goes where that is allowed",
			do:      doUnlink("ann", "ann-github", true),
			changes: `- account ann-github`,
		},
		{
			name:  "an account without a password is no way to sign in",
			do:    doUnlink("dan", "dan-github", false),
			fails: authdb.ErrLastAccount,
		},
		{
			name:  "nobody unlinks another's account",
			do:    doUnlink("ann", "bob-github", false),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "no account is unlinked that is not there",
			do:    doUnlink("ann", "nobody", false),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "unlinking waits for a server that deletes the other account",
			rival:   "DELETE FROM account WHERE id = 'bob-password'",
			do:      doUnlink("bob", "bob-github", false),
			fails:   authdb.ErrLastAccount,
			changes: `- account bob-password`,
		},
		{
			name:    "unlinking waits for another that has begun",
			rival:   `SELECT FROM "user" WHERE id = 'bob' FOR NO KEY UPDATE`,
			then:    "DELETE FROM account WHERE id = 'bob-password'",
			do:      doUnlink("bob", "bob-github", false),
			fails:   authdb.ErrLastAccount,
			changes: `- account bob-password`,
		},
		{
			name: "deleting a user's accounts leaves all others",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Accounts.DeleteByUser(ctx, "bob")
				return returned(n, 2, err)
			},
			changes: `
				- account bob-github
				- account bob-password`,
		},
		{
			name: "the newest verification is consumed, and the older goes along",
			do:   doConsume("reset", "reset-a"),
			changes: `
				- verification reset-a
				- verification reset-b`,
		},
		{
			name: "of two verifications of one moment the id decides",
			do:   doConsume("twin", "twin-b"),
			changes: `
				- verification twin-a
				- verification twin-b`,
		},
		{
			name:  "a newest verification that has expired proves nothing",
			do:    doConsume("late", ""),
			fails: authdb.ErrNotFound,
			changes: `
				- verification late-a
				- verification late-b`,
		},
		{
			name:  "a verification is consumed once",
			rival: "DELETE FROM verification WHERE identifier = 'reset'",
			do:    doConsume("reset", ""),
			fails: authdb.ErrNotFound,
			changes: `
				- verification reset-a
				- verification reset-b`,
		},
		{
			name: "a value is consumed",
			do:   doConsumeValue("reset", "second", "reset-a"),
			changes: `
				- verification reset-a
				- verification reset-b`,
		},
		{
			name:  "a wrong value consumes nothing",
			do:    doConsumeValue("reset", "first", ""),
			fails: authdb.ErrNotFound,
		},
		{
			name: "consuming a value waits for a server that changes one it has just made",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE verification SET value = value WHERE id = 'reset-a'",
					meanwhile: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
						VALUES ('z-newest', 'reset', 'secret', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
					then:  "UPDATE verification SET value = 'replaced' WHERE id = 'z-newest'",
					do:    doConsumeValue("reset", "secret", ""),
					fails: authdb.ErrNotFound,
					changes: `
						+ verification z-newest expires_at=06-01T13:00:00 identifier=reset value=replaced`,
				})
			},
		},
		{
			name:    "consuming a value waits for a server that changes it",
			rival:   "UPDATE verification SET value = 'third' WHERE id = 'reset-a'",
			do:      doConsumeValue("reset", "second", ""),
			fails:   authdb.ErrNotFound,
			changes: `~ verification reset-a value=third`,
		},
		{
			name: "the right code is good once",
			free: []string{"verification code-a", "verification code-b"},
			do:   doGuess("code", "123456"),
			changes: `
				- verification code-a
				- verification code-b`,
		},
		{
			name:    "a wrong code is counted",
			do:      doGuess("code", "111111"),
			fails:   authdb.ErrWrongCode,
			changes: `~ verification code-a updated value=123456:2`,
		},
		{
			name:  "a code that was guessed at too often is spent",
			do:    doGuess("spent", "123456"),
			fails: authdb.ErrTooManyAttempts,
		},
		{
			name:  "a code that has expired is none",
			do:    doGuess("dead", "123456"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "an older code does not come back when the newest has expired",
			do:    doGuess("late", "first"),
			fails: authdb.ErrNotFound,
		},
		{
			name: "of two codes of one moment the id decides",
			do:   doGuess("twin", "2"),
			changes: `
				- verification twin-a
				- verification twin-b`,
		},
		{
			name:    "each wrong guess is counted",
			rival:   "UPDATE verification SET value = '123456:2' WHERE id = 'code-a'",
			do:      doGuess("code", "111111"),
			fails:   authdb.ErrWrongCode,
			changes: `~ verification code-a updated value=123456:3`,
		},
		{
			name: "a guess at a code that is being made and guessed at is counted",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE verification SET value = value WHERE id = 'code-a'",
					meanwhile: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
						VALUES ('z-newest', 'code', '654321:0', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
					then: "UPDATE verification SET value = '654321:1' WHERE id = 'z-newest'",
					do:   doGuess("code", "111111"), fails: authdb.ErrWrongCode,
					changes: `
						+ verification z-newest expires_at=06-01T13:00:00 identifier=code value=654321:2`,
				})
			},
		},
		{
			name: "guessing locks codes in order",
			run: inOrder(`SELECT FROM verification WHERE id = 'reset-b' FOR UPDATE`,
				`SELECT FROM verification WHERE id = 'reset-a' FOR UPDATE`, doGuess("reset", "second")),
		},
		{
			name: "a reservation that fails does not end the transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					p := authdb.CreateVerificationParams{Identifier: "message", ExpiresAt: noon.Add(time.Hour)}
					if err := errors.Join(s.Verifications.Reserve(ctx, p)); err != nil {
						return err
					}
					if err := s.Verifications.Reserve(ctx, p); !errors.Is(err, authdb.ErrConflict) {
						return fmt.Errorf("reserved twice: %w", err)
					}
					return kit.ErrOf(s.Users.Get(ctx, "bob"))
				})
			},
			changes: `+ verification aNzAgrzfdMbx4908UUN7LWI9o7xBG0-EL4ipZ4U6Jz4 expires_at=06-01T13:00:00 identifier=message value=`,
		},
		{
			name: "an update changes one verification",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Verifications.Update(ctx, "reset-a", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("third"))})
				return returned(row.ID, "reset-a", err)
			},
			changes: `~ verification reset-a updated value=third`,
		},
		{
			name: "an update by identifier changes its verifications",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Verifications.UpdateByIdentifier(ctx, "reset", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("third"))})
				return returned(n, 2, err)
			},
			changes: `
				~ verification reset-a updated value=third
				~ verification reset-b updated value=third`,
		},
		{
			name: "a verification is deleted, and what it had replaced",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Verifications.Delete(ctx, "reset-a")
			},
			changes: `
				- verification reset-a
				- verification reset-b`,
		},
		{
			name: "what has replaced a verification stays without it",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Verifications.Delete(ctx, "reset-b")
			},
			changes: `- verification reset-b`,
		},
		{
			name: "the verifications of an identifier are deleted",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Verifications.DeleteByIdentifier(ctx, "reset")
				return returned(n, 2, err)
			},
			changes: `
				- verification reset-a
				- verification reset-b`,
		},
		{
			name: "a purge takes the expired verifications, and what they had replaced",
			given: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
				VALUES ('renewed', 'stale', 'newer', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
			do: doPurgeVerifications(100, 4),
			changes: `
				- verification dead
				- verification late-a
				- verification late-b
				- verification stale`,
		},
		{
			name:    "a purge takes the oldest verification first",
			do:      doPurgeVerifications(1, 1),
			changes: `- verification stale`,
		},
		{
			name:  "a purge passes over a verification that is being changed",
			rival: "UPDATE verification SET expires_at = '2026-06-08 12:00' WHERE id = 'stale'",
			skips: true,
			do:    doPurgeVerifications(100, 3),
			changes: `
				- verification dead
				- verification late-a
				- verification late-b
				~ verification stale expires_at=06-08T12:00:00`,
		},
		{
			name: "an update changes one user",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Users.Update(ctx, "bob", authdb.UpdateUserParams{Name: authdb.Set("Bob")})
				return returned(row.ID, "bob", err)
			},
			changes: `~ user bob name=Bob updated`,
		},
		{
			name:    "an address is one user's",
			do:      doSetEmail("bob", "robert", true),
			changes: `~ user bob email=robert@x.io updated`,
		},
		{
			name:  "who is removed does not come back by what a former address has pending",
			given: pendingOfBob,
			free:  []string{"invitation to-bob", "invitation to-bob-2", "invitation to-bob-4"},
			do:    doSetEmail("bob", "robert", true),
			changes: `
				~ invitation to-bob status=canceled
				~ invitation to-bob-2 status=canceled
				~ invitation to-bob-4 status=canceled
				~ user bob email=robert@x.io updated`,
		},
		{
			name:    "an address that stays keeps what it has pending",
			given:   pendingOfBob,
			do:      doSetEmail("bob", "bob", true),
			changes: `~ user bob updated`,
		},
		{
			name:  "changing an address waits for a server that rejects what the former has pending",
			given: pendingOfBob,
			rival: "UPDATE invitation SET status = 'rejected' WHERE id = 'to-bob'",
			then:  `SELECT FROM "user" WHERE id = 'bob' FOR KEY SHARE`,
			do:    doSetEmail("bob", "robert", true),
			changes: `
				~ invitation to-bob status=rejected
				~ invitation to-bob-2 status=canceled
				~ invitation to-bob-4 status=canceled
				~ user bob email=robert@x.io updated`,
		},
		{
			name: "users are added",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.Some(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: "hal@x.io"}, {Email: "ida@x.io", Image: new("i"), EmailVerified: true}}))
			},
			changes: `
				+ user new1 banned=false email=hal@x.io email_verified=false name= two_factor_enabled=false
				+ user new2 banned=false email=ida@x.io email_verified=true image=i name= two_factor_enabled=false`,
		},
		{
			name:  "an address is proved, and what was made before goes",
			given: squatter,
			do:    doVerify("eve", "eve", false, "eve1 eve2"),
			changes: `
				- account eve-github
				- account eve-password
				- session eve1
				- session eve2
				~ user eve email_verified=true updated`,
		},
		{
			name:    "an address is proved by one who is signed in",
			given:   squatter,
			do:      doVerify("eve", "eve", true, ""),
			changes: `~ user eve email_verified=true updated`,
		},
		{
			name: "an address that was proved before changes nothing",
			do:   doVerify("bob", "bob", false, ""),
		},
		{
			name:  "an address proves nothing of another user",
			given: squatter,
			do:    doVerify("eve", "hal", false, ""),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "an address of one user ends no sessions of another",
			given: squatter,
			do:    doVerify("bob", "eve", false, ""),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "proving an address waits for a sign-in and ends it too",
			rival:   `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('eve1', 'token-eve1', 'eve', '2026-06-08', '2026-06-01')`,
			do:      doVerify("eve", "eve", false, "eve1"),
			changes: `~ user eve email_verified=true updated`,
		},
		{
			name:    "proving an address waits for a server that changes it",
			given:   squatter,
			rival:   `UPDATE "user" SET email = 'changed@x.io' WHERE id = 'eve'`,
			do:      doVerify("eve", "eve", false, ""),
			fails:   authdb.ErrNotFound,
			changes: `~ user eve email=changed@x.io`,
		},
		{
			name: "a user without an organization is deleted",
			free: []string{"user dan", "member none"},
			do:   doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""),
			changes: `
				- account dan-github
				- account dan-password
				- session dan-old
				- session dan1
				- user dan`,
		},
		{
			name: "a member is deleted, and leaves seats",
			free: []string{"organization acme"},
			do:   doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: `
				- account ann-github
				- invitation to-dan
				- member acme-ann
				- session ann1
				- session ann2
				- team_member blue-ann
				- team_member red-ann
				- user ann
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "who is deleted does not come back by what is pending",
			given: pendingOfBob,
			free:  []string{"invitation to-bob", "invitation to-bob-2"},
			do:    doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: `
				- account bob-github
				- account bob-password
				- member acme-bob
				- member globex-bob
				- session bob-old
				- session bob1
				- session bob2
				- session bob3
				- team_member gold-bob
				- team_member red-bob
				- user bob
				~ invitation to-bob status=canceled
				~ invitation to-bob-2 status=canceled
				~ team gold member_count=1 updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "deleting a user waits for a server that rejects what is pending",
			given: pendingOfBob,
			rival: "UPDATE invitation SET status = 'rejected' WHERE id = 'to-bob'",
			then:  `SELECT FROM "user" WHERE id = 'bob' FOR KEY SHARE`,
			do:    doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: `
				- account bob-github
				- account bob-password
				- member acme-bob
				- member globex-bob
				- session bob-old
				- session bob1
				- session bob2
				- session bob3
				- team_member gold-bob
				- team_member red-bob
				- user bob
				~ invitation to-bob status=rejected
				~ invitation to-bob-2 status=canceled
				~ team gold member_count=1 updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "deleting a user locks invitations in order",
			given: pendingOfBob,
			run: inOrder(`SELECT FROM invitation WHERE id = 'to-bob-2' FOR UPDATE`,
				`SELECT FROM invitation WHERE id = 'to-bob' FOR UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{
			name:  "nobody is deleted who is not there",
			do:    doDeleteUser("nobody", authdb.DeleteUserParams{}, "", ""),
			fails: authdb.ErrNotFound,
		},
		{
			name: "a last owner is not deleted",
			given: `INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga');
				INSERT INTO invitation SELECT 'to-olga', 'acme', 'olga@x.io', 'member', NULL, 'pending', '2026-06-03', '2026-05-30', 'ann'`,
			do:    doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails: authdb.ErrLastOwner,
		},
		{
			name:  "one of two owners is deleted",
			given: "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:    doDeleteUser("olga", authdb.DeleteUserParams{}, "olga1", ""),
			changes: `
				- account olga-password
				- invitation to-ann
				- invitation to-cyd
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member acme-olga
				- session olga1
				- user olga`,
		},
		{
			name:  "a member of an organization without an owner is deleted",
			given: "UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:    doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: `
				- account ann-github
				- invitation to-dan
				- member acme-ann
				- session ann1
				- session ann2
				- team_member blue-ann
				- team_member red-ann
				- user ann
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "a deleted user takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: `
				- account ann-github
				- invitation to-dan
				- member acme-ann
				- session ann1
				- session ann2
				- team_member blue-ann
				- team_member red-ann
				- user ann
				~ team blue member_count=0 updated
				~ team red updated`,
		},
		{
			name: "a member becomes the successor",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, organization_id, 'ann@x.io', 'admin', status, '2026-06-03', 'bob' FROM (VALUES
				('to-ann-2', 'acme', 'pending'), ('to-ann-3', 'acme', 'rejected'), ('to-ann-4', 'globex', 'pending')) i (id, organization_id, status)`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "ann"}, "olga1", "acme"),
			changes: `
				- account olga-password
				- invitation to-ann
				- invitation to-cyd
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member acme-olga
				- session olga1
				- user olga
				~ invitation to-ann-2 status=canceled
				~ member acme-ann role=admin,owner`,
		},
		{
			name:    "deleting a user waits for a server that deletes the successor",
			rival:   `DELETE FROM "user" WHERE id = 'cyd'`,
			do:      doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "", ""),
			fails:   authdb.ErrReference,
			changes: `- user cyd`,
		},
		{
			name: "a successor becomes a member",
			free: []string{"user olga", "user cyd", "organization acme"},
			do:   doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "olga1", "acme"),
			changes: `
				+ member a62bd0f640dac9384718944f3d5a3c4f organization_id=acme role=owner user_id=cyd
				- account olga-password
				- invitation to-ann
				- invitation to-cyd
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member acme-olga
				- session olga1
				- user olga`,
		},
		{
			name: "a successor does not inherit a seat",
			given: `INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga');
				UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "ann"}, "olga1", "acme"),
			changes: `
				- account olga-password
				- invitation to-ann
				- invitation to-cyd
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member acme-olga
				- session olga1
				- team_member red-olga
				- user olga
				~ member acme-ann role=admin,owner
				~ team red member_count=2 updated`,
		},
		{
			name:  "a successor must be there",
			do:    doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "nobody"}, "", ""),
			fails: authdb.ErrReference,
		},
		{
			name: "a user is deleted with the organizations",
			given: `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01'); INSERT INTO member
				VALUES ('a-zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01')`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{DeleteOrganizations: true}, "olga1", "acme zeta"),
			changes: `
				- account olga-password
				- invitation to-ann
				- invitation to-cyd
				- invitation to-dan
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member a-zeta-olga
				- member acme-ann
				- member acme-bob
				- member acme-olga
				- organization acme
				- organization zeta
				- session olga1
				- team blue
				- team red
				- team_member blue-ann
				- team_member red-ann
				- team_member red-bob
				- user olga
				~ session ann1 active_organization_id=NULL active_team_id=NULL updated
				~ session ann2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name:    "deleting a user waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "deleting a user waits for an operation on an organization",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name: "deleting a user waits for a sign-in and returns it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do: doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2 ann3", ""),
			changes: `
				- account ann-github
				- invitation to-dan
				- member acme-ann
				- session ann1
				- session ann2
				- team_member blue-ann
				- team_member red-ann
				- user ann
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
		{
			name: "deleting a user waits for a session that makes an organization active",
			rival: `SELECT FROM organization o JOIN member m ON m.organization_id = o.id WHERE m.id = 'globex-bob' FOR
				KEY SHARE`,
			then: `SELECT FROM session WHERE user_id = 'bob' FOR NO KEY UPDATE NOWAIT;
				UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do: doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: `
				- account bob-github
				- account bob-password
				- member acme-bob
				- member globex-bob
				- session bob-old
				- session bob1
				- session bob2
				- session bob3
				- team_member gold-bob
				- team_member red-bob
				- user bob
				~ team gold member_count=1 updated
				~ team red member_count=1 updated`,
		},
		{
			name: "deleting a user waits for an operation on an organization that the user has just joined",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: `INSERT INTO member VALUES ('globex-dan', 'globex', 'dan', 'member', '2026-06-01')`,
					then: `SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE;
						UPDATE member SET role = 'member' WHERE id = 'globex-otto'`,
					meanwhile: "SELECT",
					do:        doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""),
					changes: `
						- account dan-github
						- account dan-password
						- session dan-old
						- session dan1
						- user dan
						~ member globex-otto role=member`,
				})
			},
		},
		{
			name: "deleting a user waits for an operation on an organization that may go along",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: `INSERT INTO member VALUES ('globex-dan', 'globex', 'dan', 'member', '2026-06-01')`,
					then: `SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE;
						UPDATE member SET role = 'member' WHERE id = 'globex-otto'`,
					meanwhile: "SELECT",
					do:        doDeleteUser("dan", authdb.DeleteUserParams{DeleteOrganizations: true}, "dan-old dan1", ""),
					changes: `
						- account dan-github
						- account dan-password
						- session dan-old
						- session dan1
						- user dan
						~ member globex-otto role=member`,
				})
			},
		},
		{
			name: "deleting a user locks memberships in order",
			run: inOrder(`SELECT FROM member WHERE id = 'globex-bob' FOR UPDATE`,
				`SELECT FROM member WHERE id = 'acme-bob' FOR UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{
			name: "deleting a user locks organizations in order",
			run: inOrder(`SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{
			name: "deleting a user with organizations waits for a session that makes one active",
			rival: `SELECT FROM member m JOIN organization o ON o.id = m.organization_id WHERE m.id = 'globex-bob' FOR
				KEY SHARE; UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do: doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2
				- invitation to-fay-2
				- member globex-bob
				- member globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob
				- team_member gold-otto
				- user otto
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "deleting a user with organizations leaves all others alone",
			free: []string{"organization globex"},
			do:   doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2
				- invitation to-fay-2
				- member globex-bob
				- member globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob
				- team_member gold-otto
				- user otto
				~ session bob2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "deleting a user with organizations leaves the seats in others",
			given: `INSERT INTO member VALUES ('acme-otto', 'acme', 'otto', 'member', '2026-01-01'); INSERT INTO team_member
				(id, team_id, user_id) VALUES ('red-otto', 'red', 'otto'); UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2
				- invitation to-fay-2
				- member acme-otto
				- member globex-bob
				- member globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob
				- team_member gold-otto
				- team_member red-otto
				- user otto
				~ session bob2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_organization_id=NULL active_team_id=NULL updated
				~ team red member_count=2 updated`,
		},
		{
			name: "a user is deleted with an organization of the same transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					if err := doCreateOrganization("cyd", "new", true)(ctx, s); err != nil {
						return err
					}
					return doDeleteUser("cyd", authdb.DeleteUserParams{DeleteOrganizations: true}, "", "new1")(ctx, s)
				})
			},
			changes: `- user cyd`,
		},
		{
			name: "a user is deleted with an organization and an invitation of the same transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					for _, do := range []operation{
						doCreateOrganization("cyd", "new", false),
						doAddMember("new1", "bob", 0),
						doInvite("new1", "bob", "hal", "new6"),
						doSetEmail("cyd", "hal", true),
					} {
						if err := do(ctx, s); err != nil {
							return err
						}
					}
					return doDeleteUser("cyd", authdb.DeleteUserParams{DeleteOrganizations: true}, "", "new1")(ctx, s)
				})
			},
			changes: `
				- user cyd
				~ invitation to-cyd status=canceled
				~ invitation to-cyd-2 status=canceled`,
		},
		{
			name: "deleting a user with organizations locks them in order",
			given: `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01'); INSERT INTO member
				VALUES ('a-zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01')`,
			run: inOrder(`SELECT FROM organization WHERE id = 'zeta' FOR UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`,
				doDeleteUser("olga", authdb.DeleteUserParams{DeleteOrganizations: true}, "olga1", "acme zeta")),
		},
		{
			name: "an organization is made with its owner",
			do:   doCreateOrganization("cyd", "new", false),
			changes: `
				+ member new2 organization_id=new1 role=owner user_id=cyd
				+ organization new1 name=New slug=new`,
		},
		{
			name: "an organization is made with its first team",
			do:   doCreateOrganization("cyd", "new", true),
			changes: `
				+ member new2 organization_id=new1 role=owner user_id=cyd
				+ organization new1 name=New slug=new
				+ team new3 member_count=1 name=New organization_id=new1
				+ team_member new4 team_id=new3 user_id=cyd`,
		},
		{
			name: "an update changes one organization",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Organizations.Update(ctx, "acme", authdb.UpdateOrganizationParams{Name: authdb.Set("ACME")})
				return returned(row.ID, "acme", err)
			},
			changes: `~ organization acme name=ACME`,
		},
		{
			name: "an organization is deleted, and is active no longer",
			free: []string{"organization acme"},
			do:   doDeleteOrganization("acme", "ann1 ann2 bob-old bob1 olga1"),
			changes: `
				- invitation to-ann
				- invitation to-cyd
				- invitation to-dan
				- invitation to-eve
				- invitation to-fay
				- invitation to-gil
				- invitation to-gil-2
				- member acme-ann
				- member acme-bob
				- member acme-olga
				- organization acme
				- team blue
				- team red
				- team_member blue-ann
				- team_member red-ann
				- team_member red-bob
				~ session ann1 active_organization_id=NULL active_team_id=NULL updated
				~ session ann2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name: "deleting an organization waits for a session that makes it active",
			rival: `SELECT FROM member m JOIN organization o ON o.id = m.organization_id WHERE m.id = 'globex-bob' FOR
				KEY SHARE; UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do: doDeleteOrganization("globex", "bob1 bob2 bob3 otto1"),
			changes: `
				- invitation to-cyd-2
				- invitation to-fay-2
				- member globex-bob
				- member globex-otto
				- organization globex
				- team gold
				- team_member gold-bob
				- team_member gold-otto
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob2 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_organization_id=NULL active_team_id=NULL updated
				~ session otto1 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "a member is added, and does not come back by what is pending",
			given: `INSERT INTO invitation SELECT 'to-cyd-3', organization_id, email, role, team_id, 'rejected', expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free: []string{"organization acme", "user cyd"},
			do:   doAddMember("acme", "cyd", 0),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd status=canceled`,
		},
		{
			name: "members are added, and do not come back by what is pending",
			given: `INSERT INTO invitation SELECT 'to-cyd-3', organization_id, email, role, team_id, 'rejected', expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free: []string{"organization acme", "user cyd", "user dan"},
			do:   doAddMembers("acme cyd", "acme dan"),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=acme role=member user_id=dan
				~ invitation to-cyd status=canceled
				~ invitation to-dan status=canceled`,
		},
		{
			name:  "members are added all or none",
			do:    doAddMembers("acme cyd", "acme bob"),
			fails: authdb.ErrAlreadyMember,
		},
		{
			name: "members are added up to the limit",
			do:   doAddMembers("acme cyd 5", "acme dan 9", "globex dan 3"),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=acme role=member user_id=dan
				+ member new3 organization_id=globex role=member user_id=dan
				~ invitation to-cyd status=canceled
				~ invitation to-dan status=canceled`,
		},
		{
			name:  "no members are added beyond the least limit",
			do:    doAddMembers("acme cyd 4", "globex dan", "acme dan 9"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "adding members waits for another that counts them",
			rival: "SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE",
			do:    doAddMembers("acme cyd", "globex dan"),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=globex role=member user_id=dan
				~ invitation to-cyd status=canceled`,
		},
		{
			name: "adding members locks organizations in order",
			run: inOrder(`SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`, doAddMembers("globex dan", "acme cyd")),
		},
		{
			name:  "a user is a member once",
			do:    doAddMember("acme", "bob", 0),
			fails: authdb.ErrAlreadyMember,
		},
		{
			name: "a member is added up to the limit",
			do:   doAddMember("acme", "cyd", 4),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd status=canceled`,
		},
		{
			name:  "no member is added beyond the limit",
			do:    doAddMember("acme", "cyd", 3),
			fails: authdb.ErrLimitReached,
		},
		{
			name: "adding a member waits for another",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO member VALUES ('acme-dan',
				'acme', 'dan', 'member', '2026-06-01')`,
			do:      doAddMember("acme", "cyd", 4),
			fails:   authdb.ErrLimitReached,
			changes: `+ member acme-dan organization_id=acme role=member user_id=dan`,
		},
		{
			name:    "a role is changed",
			do:      doSetRole("acme", "acme-bob", "admin"),
			changes: `~ member acme-bob role=admin`,
		},
		{
			name:  "the last owner stays one",
			do:    doSetRole("acme", "acme-olga", "member"),
			fails: authdb.ErrLastOwner,
		},
		{
			name:    "one of two owners becomes a member",
			given:   "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			changes: `~ member acme-olga role=member`,
		},
		{
			name:    "the last owner gets more roles",
			do:      doSetRole("acme", "acme-olga", "admin,owner"),
			changes: `~ member acme-olga role=admin,owner`,
		},
		{
			name:  "nobody changes a role in another organization",
			do:    doSetRole("globex", "acme-bob", "admin"),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "demoting waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "demoting waits for another operation",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name: "a member is removed, with teams and what is active",
			free: []string{"member acme-bob", "organization acme"},
			do:   doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name: "who is removed does not come back by what is pending",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, organization_id, 'bob@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
				('to-bob', 'acme', 'pending'), ('to-bob-2', 'globex', 'pending'), ('to-bob-3', 'acme', 'rejected')) i (id, organization_id, status)`,
			do: doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ invitation to-bob status=canceled
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name: "a member leaves",
			free: []string{"member acme-bob", "organization acme"},
			do:   doLeave("acme", "bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "the last owner is not removed",
			do:    doRemoveMember("acme", "acme-olga"),
			fails: authdb.ErrLastOwner,
		},
		{
			name:  "one of two owners is removed",
			given: "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:    doRemoveMember("acme", "acme-olga"),
			changes: `
				- member acme-olga
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name:  "nobody removes a member of another organization",
			free:  []string{"member none"},
			do:    doRemoveMember("acme", "globex-bob"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "nobody leaves who is no member",
			do:    doLeave("acme", "dan"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "a removed member takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red updated`,
		},
		{
			name:    "removing waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doRemoveMember("acme", "acme-olga"),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "removing waits for another operation",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doRemoveMember("acme", "acme-olga"),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name: "removing waits for a team that the member is given",
			rival: `SELECT FROM member WHERE id = 'acme-bob' FOR KEY SHARE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('blue-bob', 'blue', 'bob')`,
			do: doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
		{
			name:    "a team is added",
			free:    []string{"organization acme"},
			do:      doCreateTeam("acme", 0),
			changes: `+ team new1 member_count=0 name=New organization_id=acme`,
		},
		{
			name:    "a team is added up to the limit",
			do:      doCreateTeam("acme", 3),
			changes: `+ team new1 member_count=0 name=New organization_id=acme`,
		},
		{
			name:  "no team is added beyond the limit",
			do:    doCreateTeam("acme", 2),
			fails: authdb.ErrLimitReached,
		},
		{
			name: "adding a team waits for another",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team VALUES ('green',
				'Green', 'acme', '2026-06-01')`,
			do:      doCreateTeam("acme", 3),
			fails:   authdb.ErrLimitReached,
			changes: `+ team green member_count=0 name=Green organization_id=acme`,
		},
		{
			name:    "an update changes one team",
			do:      doRenameTeam("acme", "red"),
			changes: `~ team red name=New updated`,
		},
		{
			name:  "nobody updates a team of another organization",
			do:    doRenameTeam("globex", "red"),
			fails: authdb.ErrNotFound,
		},
		{
			name:    "counts are put right",
			given:   "UPDATE team SET member_count = 9 WHERE id IN ('red', 'gold')",
			do:      doRecount("acme", 1),
			changes: `~ team red member_count=2 updated`,
		},
		{
			name: "a recount waits for a seat that is being taken",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('red-olga', 'red', 'olga'); UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doRecount("acme", 0),
			changes: `
				+ team_member red-olga team_id=red user_id=olga
				~ team red member_count=3`,
		},
		{
			name: "a team is deleted, and is active no longer",
			given: `INSERT INTO invitation SELECT 'odd', 'globex', 'hal@x.io', role, 'red', status, expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			do: doDeleteTeam("acme", "red", false),
			changes: `
				- team red
				- team_member red-ann
				- team_member red-bob
				~ invitation to-cyd team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1 active_team_id=NULL updated
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated`,
		},
		{
			name:  "invitations that are over keep a deleted team",
			given: "UPDATE invitation SET team_id = 'red , gone' WHERE id = 'to-eve'",
			do:    doDeleteTeam("acme", "blue", false),
			changes: `
				- team blue
				- team_member blue-ann
				~ invitation to-dan team_id=red
				~ session ann2 active_team_id=NULL updated`,
		},
		{
			name:  "the last team stays",
			given: "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", false),
			fails: authdb.ErrLastTeam,
		},
		{
			name:  "the last team goes where that is allowed",
			given: "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", true),
			changes: `
				- team red
				- team_member red-ann
				- team_member red-bob
				~ invitation to-cyd team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1 active_team_id=NULL updated
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated`,
		},
		{
			name:  "nobody deletes a team of another organization",
			free:  []string{"team none"},
			do:    doDeleteTeam("globex", "red", true),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "no team is deleted that is not there",
			do:    doDeleteTeam("acme", "none", false),
			fails: authdb.ErrNotFound,
		},
		{
			name: "deleting a team leaves all others alone",
			free: []string{"team red"},
			do:   doDeleteTeam("acme", "red", true),
			changes: `
				- team red
				- team_member red-ann
				- team_member red-bob
				~ invitation to-cyd team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1 active_team_id=NULL updated
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated`,
		},
		{
			name:  "deleting a team waits for a server that deletes the other",
			rival: "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", false),
			fails: authdb.ErrLastTeam,
			changes: `
				- team blue
				- team_member blue-ann`,
		},
		{
			name:  "deleting a team waits for another operation",
			rival: "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:  "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", false),
			fails: authdb.ErrLastTeam,
			changes: `
				- team blue
				- team_member blue-ann`,
		},
		{
			name: "deleting a team waits for a session that makes it active",
			rival: `SELECT FROM team_member tm JOIN team t ON t.id = tm.team_id WHERE tm.id = 'red-bob' FOR KEY SHARE;
				UPDATE session SET active_organization_id = 'acme', active_team_id = 'red' WHERE id = 'bob2'`,
			do: doDeleteTeam("acme", "red", false),
			changes: `
				- team red
				- team_member red-ann
				- team_member red-bob
				~ invitation to-cyd team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1 active_team_id=NULL updated
				~ session bob1 active_team_id=NULL updated
				~ session bob2 active_organization_id=acme active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated`,
		},
		{
			name: "a member joins a team",
			free: []string{"organization acme", "member acme-bob"},
			do:   doJoin("acme", "blue", 0, "bob"),
			changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`,
		},
		{
			name: "members join a team once, in the order given",
			do:   doJoin("acme", "blue", 0, "olga", "bob", "ann"),
			changes: `
				+ team_member new1 team_id=blue user_id=olga
				+ team_member new2 team_id=blue user_id=bob
				~ team blue member_count=3 updated`,
		},
		{
			name: "who is in the team joins nothing",
			free: []string{"organization acme", "member acme-bob", "team red", "team_member red-bob"},
			do:   doJoin("acme", "red", 0, "bob"),
		},
		{
			name: "who is in a full team needs no seat",
			do:   doJoin("acme", "red", 1, "bob"),
		},
		{
			name:  "members join a team all or none",
			do:    doJoin("acme", "blue", 0, "bob", "dan"),
			fails: authdb.ErrNotMember,
		},
		{
			name: "nobody joins a team by a key that is another's",
			given: `UPDATE team_member SET membership_key = translate(rtrim(encode(sha256('["blue","bob"]'), 'base64'), '='),
				'+/', '-_') WHERE id = 'gold-bob'`,
			do:    doJoin("acme", "blue", 0, "olga", "bob"),
			fails: authdb.ErrConflict,
		},
		{
			name:  "nobody joins a team without a membership",
			do:    doJoin("acme", "red", 0, "dan"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a member of another organization joins no team",
			do:    doJoin("acme", "red", 0, "otto"),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a team of another organization is not there",
			free:  []string{"team none"},
			do:    doJoin("globex", "red", 0, "otto"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "nobody joins a team that is not there",
			do:    doJoin("acme", "none", 0, "bob"),
			fails: authdb.ErrNotFound,
		},
		{
			name: "a member joins a team up to the limit",
			do:   doJoin("acme", "blue", 2, "bob"),
			changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`,
		},
		{
			name:  "nobody joins a team beyond the limit",
			do:    doJoin("acme", "red", 2, "olga"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "a seat that is counted is taken",
			given: "UPDATE team SET member_count = 4 WHERE id = 'red'",
			do:    doJoin("acme", "red", 4, "olga"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "a seat that is not counted is taken",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doJoin("acme", "red", 2, "olga"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:    "joining waits for a server that removes the member",
			rival:   "DELETE FROM member WHERE id = 'acme-bob'",
			do:      doJoin("acme", "blue", 0, "bob"),
			fails:   authdb.ErrNotMember,
			changes: `- member acme-bob`,
		},
		{
			name:  "joining waits for a server that removes the member, and then the seats",
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			then:  "SELECT FROM team WHERE id = 'blue' FOR NO KEY UPDATE NOWAIT",
			do:    doJoin("acme", "blue", 0, "bob"),
			fails: authdb.ErrNotMember, changes: `- member acme-bob`,
		},
		{
			name: "joining holds a membership that came while it waited",
			run: func(ctx context.Context, s *stage) error {
				var others []*actor
				for i, begun := range []string{
					`UPDATE team SET member_count = member_count WHERE id = 'blue'`,
					`INSERT INTO team_member (id, team_id, user_id) VALUES ('blue-dan', 'blue', 'dan')`,
				} {
					other, err := s.actor(ctx, i+1)
					if err != nil {
						return err
					}
					if _, err := other.conn.Exec(ctx, "BEGIN;"+begun); err != nil {
						return err
					}
					defer func() { _, _ = other.conn.Exec(ctx, "ROLLBACK") }()
					others = append(others, other)
				}
				joins, err := s.actor(ctx, 0)
				if err != nil {
					return err
				}
				op := joins.start(ctx, doJoin("acme", "blue", 0, "dan"))
				for i, meanwhile := range []string{
					`INSERT INTO member (id, organization_id, user_id, created_at) VALUES ('acme-dan', 'acme', 'dan', '2026-06-01')`,
					`SELECT FROM member WHERE id = 'acme-dan' FOR UPDATE NOWAIT`,
				} {
					if waits, err := op.waits(ctx, others[i]); err != nil || !waits {
						return fmt.Errorf("waits for the other: %v (%w)", waits, errors.Join(err, op.ended()))
					}
					_, err := s.admin.Exec(ctx, meanwhile)
					if locked := strings.Contains(fmt.Sprint(err), "could not obtain lock"); locked != (i == 1) || err != nil && !locked {
						return fmt.Errorf("the membership is locked: %v (%w)", locked, err)
					}
					if _, err := others[i].conn.Exec(ctx, "ROLLBACK"); err != nil {
						return err
					}
				}
				return op.wait(ctx)
			},
		},
		{
			name:  "joining waits for another that takes the last seat",
			given: "INSERT INTO member VALUES ('acme-dan', 'acme', 'dan', 'member', '2026-01-01')",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('red-dan', 'red', 'dan')`,
			do:      doJoin("acme", "red", 3, "olga"),
			fails:   authdb.ErrLimitReached,
			changes: `+ team_member red-dan team_id=red user_id=dan`,
		},
		{
			name:    "joining waits for a server that reserves the last seat",
			rival:   "UPDATE team SET member_count = member_count + 1 WHERE id = 'red' AND member_count < 3",
			do:      doJoin("acme", "red", 3, "olga"),
			fails:   authdb.ErrLimitReached,
			changes: `~ team red member_count=3`,
		},
		{
			name:  "joining waits for a server that takes the seat away",
			rival: "DELETE FROM team_member WHERE id = 'red-bob'",
			do:    doJoin("acme", "red", 0, "bob"),
			changes: `
				+ team_member new1 team_id=red user_id=bob
				- team_member red-bob
				~ team red member_count=3 updated`,
		},
		{
			name:    "joining waits for a server that adds the same",
			rival:   "INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga')",
			do:      doJoin("acme", "red", 0, "olga"),
			changes: `+ team_member red-olga team_id=red user_id=olga`,
		},
		{
			name: "joining locks members in order",
			run: inOrder(`SELECT FROM member WHERE id = 'acme-olga' FOR UPDATE`,
				`SELECT FROM member WHERE id = 'acme-bob' FOR UPDATE`, doJoin("acme", "blue", 0, "olga", "bob")),
		},
		{
			name: "joining locks seats in order",
			run: inOrder(`SELECT FROM team_member WHERE id = 'red-bob' FOR UPDATE`,
				`SELECT FROM team_member WHERE id = 'red-ann' FOR UPDATE`, doJoin("acme", "red", 0, "bob", "ann")),
		},
		{
			name: "a team member quits",
			free: []string{"team_member red-bob"},
			do:   doQuit("acme", "red", "bob"),
			changes: `
				- team_member red-bob
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name: "a team member is removed",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.TeamMembers.Delete(ctx, "acme", "red-bob")
			},
			changes: `
				- team_member red-bob
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "nobody removes a team member of another organization",
			free:  []string{"team_member none"},
			do:    doQuit("acme", "gold", "bob"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "a team member who quits takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doQuit("acme", "red", "bob"),
			changes: `
				- team_member red-bob
				~ session bob1 active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red updated`,
		},
		{
			name: "quitting waits for a session that makes the team active",
			rival: `SELECT FROM team_member tm JOIN team t ON t.id = tm.team_id WHERE tm.id = 'red-bob' FOR KEY SHARE;
				UPDATE session SET active_organization_id = 'acme', active_team_id = 'red' WHERE id = 'bob2'`,
			do: doQuit("acme", "red", "bob"),
			changes: `
				- team_member red-bob
				~ session bob1 active_team_id=NULL updated
				~ session bob2 active_organization_id=acme active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name: "a key of membership is there once",
			run:  keyOnce,
		},
		{
			name:    "an address is invited",
			free:    []string{"organization acme", "member acme-olga", "user olga"},
			do:      doInvite("acme", "olga", "hal", "new1"),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name: "an invitation that stands goes on with the new terms",
			given: `INSERT INTO invitation SELECT 'to-cyd-0', organization_id, email, role, NULL, 'canceled',
				expires_at, '2026-05-31', inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free:    []string{"organization acme", "member acme-ann", "user ann", "invitation to-cyd"},
			do:      doInvite("acme", "ann", "cyd", "to-cyd", asAdmin, withTeams("blue", "red")),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 inviter_id=ann role=admin team_id=blue,red`,
		},
		{
			name:    "an invitation that stands keeps the later expiry",
			do:      doInvite("acme", "olga", "cyd", "to-cyd", forAnHour),
			changes: `~ invitation to-cyd team_id=NULL`,
		},
		{
			name: "an invitation that has expired is closed",
			do:   doInvite("acme", "olga", "fay", "new1"),
			changes: `
				+ invitation new1 email=fay@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending
				~ invitation to-fay status=canceled`,
		},
		{
			name:    "invitations that are over stay so",
			do:      doInvite("acme", "olga", "gil", "new1"),
			changes: `+ invitation new1 email=gil@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name:  "of many invitations the newest goes on",
			given: manyInvitations,
			do:    doInvite("acme", "olga", "cyd", "b-newest"),
			changes: `
				~ invitation a-newest status=canceled
				~ invitation b-newest expires_at=06-03T12:00:00
				~ invitation to-cyd status=canceled
				~ invitation z-older status=canceled`,
		},
		{
			name:  "the newest pending invitation is found",
			given: manyInvitations,
			do:    doPendingInvitation("acme", "cyd", "b-newest"),
		},
		{
			name:  "an expired invitation is not pending",
			do:    doPendingInvitation("acme", "fay", ""),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "who is no member invites nobody",
			do:    doInvite("acme", "dan", "fay", ""),
			fails: authdb.ErrNotMember,
		},
		{
			name:  "a member of another organization invites nobody",
			do:    doInvite("acme", "otto", "hal", ""),
			fails: authdb.ErrNotMember,
		},
		{
			name:    "an owner invites an owner",
			do:      doInvite("acme", "olga", "hal", "new1", asOwner),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=admin,owner status=pending`,
		},
		{
			name:  "only an owner invites an owner",
			do:    doInvite("acme", "ann", "cyd", "", asOwner),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "a plain member invites one",
			do:      doInvite("acme", "bob", "hal", "new1"),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=bob organization_id=acme role=member status=pending`,
		},
		{
			name:  "a plain member invites nobody else",
			given: "UPDATE member SET role = 'owner' WHERE id = 'globex-bob'",
			do:    doInvite("acme", "bob", "hal", "", asAdmin),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "a plain member changes no invitation of another's",
			given: "UPDATE member SET role = 'owner' WHERE id = 'globex-bob'",
			do:    doInvite("acme", "bob", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "a plain member changes an invitation of its own",
			given:   "UPDATE invitation SET inviter_id = 'bob' WHERE id = 'to-cyd'",
			do:      doInvite("acme", "bob", "cyd", "to-cyd"),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 team_id=NULL`,
		},
		{
			name: "no offer of an owner goes because a newer one stands",
			given: `UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; INSERT INTO invitation (id, organization_id, email, role, status,
				expires_at, created_at, inviter_id) VALUES ('newer', 'acme', 'cyd@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'ann')`,
			do:    doInvite("acme", "ann", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name: "inviting again waits for a server that rejects an invitation it has just made",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE invitation SET role = role WHERE id = 'to-cyd'",
					meanwhile: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
						VALUES ('newer', 'acme', 'cyd@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'olga')`,
					then: "UPDATE invitation SET status = 'rejected' WHERE id = 'newer'",
					do:   doInvite("acme", "olga", "cyd", "new1", asOwner),
					changes: `
						+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=admin,owner status=pending
						+ invitation newer email=cyd@x.io expires_at=06-03T00:00:00 inviter_id=olga organization_id=acme role=member status=rejected
						~ invitation to-cyd status=canceled`,
				})
			},
		},
		{
			name:  "only an owner changes the invitation of an owner",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'",
			do:    doInvite("acme", "ann", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "an owner changes the invitation of an owner",
			given:   "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "cyd", "to-cyd"),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 inviter_id=ann role=member team_id=NULL`,
		},
		{
			name:  "an invitation stands no longer when its inviter has left",
			given: `UPDATE member SET organization_id = 'globex' WHERE id = 'acme-olga'`,
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:  "an invitation of an owner stands no longer when its inviter is none",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:  "an invitation of an admin stands no longer when its inviter is a plain member",
			given: "UPDATE invitation SET role = 'admin' WHERE id = 'to-cyd'; UPDATE member SET role = 'member' WHERE id = 'acme-olga'",
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:    "inviting again waits for a server that demotes the inviter",
			rival:   "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "cyd", ""),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-ann role=member`,
		},
		{
			name:    "inviting waits for a server that demotes the inviter",
			rival:   "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "hal", "", asAdmin),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-ann role=member`,
		},
		{
			name:  "a member is not invited",
			do:    doInvite("acme", "olga", "bob", ""),
			fails: authdb.ErrAlreadyMember,
		},
		{
			name:    "a member of another organization is invited",
			do:      doInvite("acme", "olga", "otto", "new1"),
			changes: `+ invitation new1 email=otto@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name:    "a user is invited",
			do:      doInvite("globex", "otto", "dan", "new1"),
			changes: `+ invitation new1 email=dan@x.io expires_at=06-03T12:00:00 inviter_id=otto organization_id=globex role=member status=pending`,
		},
		{
			name:  "no team of another organization is in an invitation",
			do:    doInvite("acme", "olga", "hal", "", withTeams("red", "gold")),
			fails: authdb.ErrReference,
		},
		{
			name:  "no team that is not there is in an invitation",
			do:    doInvite("acme", "olga", "hal", "", withTeams("red", "none")),
			fails: authdb.ErrReference,
		},
		{
			name:    "an address is invited up to the limit",
			do:      doInvite("acme", "olga", "hal", "new1", upTo(4)),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name:  "no address is invited beyond the limit",
			do:    doInvite("acme", "olga", "hal", "", upTo(3)),
			fails: authdb.ErrLimitReached,
		},
		{
			name:    "an invitation that stands needs no place",
			do:      doInvite("acme", "olga", "cyd", "to-cyd", upTo(3)),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 team_id=NULL`,
		},
		{
			name: "inviting waits for another of the same address",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO invitation (id,
				organization_id, email, role, status, expires_at, created_at, inviter_id) VALUES ('theirs', 'acme',
				'hal@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'olga')`,
			do:      doInvite("acme", "ann", "hal", "theirs"),
			changes: `+ invitation theirs email=hal@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending`,
		},
		{
			name:    "inviting waits for a server that removes the inviter",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "hal", ""),
			fails:   authdb.ErrNotMember,
			changes: `- member acme-ann`,
		},
		{
			name:  "inviting waits for a server that accepts the invitation",
			rival: "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:    doInvite("acme", "olga", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending
				~ invitation to-cyd status=accepted`,
		},
		{
			name:  "inviting locks invitations in order",
			given: manyInvitations,
			run: inOrder(`SELECT FROM invitation WHERE id = 'z-older' FOR UPDATE`,
				`SELECT FROM invitation WHERE id = 'a-newest' FOR NO KEY UPDATE`, doInvite("acme", "olga", "cyd", "b-newest")),
		},
		{
			name: "an invitation is accepted",
			free: []string{"organization acme", "user cyd", "invitation to-cyd", "team red"},
			do:   doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ team red member_count=3 updated`,
		},
		{
			name: "an invitation without teams is accepted",
			do:   doAccept("to-eve", "eve", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=eve
				~ invitation to-eve status=accepted`,
		},
		{
			name:  "an invitation opens no team of another organization",
			given: "UPDATE invitation SET team_id = 'gold, red, none' WHERE id = 'to-cyd'",
			free:  []string{"organization acme", "user cyd", "invitation to-cyd", "team red"},
			do:    doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ team red member_count=3 updated`,
		},
		{
			name:  "only the recipient accepts",
			do:    doAccept("to-cyd", "dan", false),
			fails: authdb.ErrNotRecipient,
		},
		{
			name:  "no invitation is accepted that is not there",
			do:    doAccept("none", "cyd", false),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "an address must be proved where that is required",
			do:    doAccept("to-eve", "eve", false, verified),
			fails: authdb.ErrEmailNotVerified,
		},
		{
			name: "a proved address accepts",
			do:   doAccept("to-cyd", "cyd", false, verified),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ team red member_count=3 updated`,
		},
		{
			name:  "no invitation is accepted whose inviter has left",
			given: `UPDATE member SET organization_id = 'globex' WHERE id = 'acme-olga'`,
			do:    doAccept("to-cyd", "cyd", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "no owner is made by an inviter who is none",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-dan'",
			do:    doAccept("to-dan", "dan", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "no admin is made by a plain member",
			given: "UPDATE invitation SET role = 'admin' WHERE id = 'to-cyd'; UPDATE member SET role = 'member' WHERE id = 'acme-olga'",
			do:    doAccept("to-cyd", "cyd", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "accepting waits for a server that demotes the inviter",
			given:   "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'",
			rival:   "UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-olga role=admin`,
		},
		{
			name: "an invitation is accepted again by its member",
			do:   doAccept("to-ann", "ann", true),
		},
		{
			name: "an invitation is not accepted again by who has left",
			given: `DELETE FROM member WHERE id = 'acme-ann'; INSERT INTO member VALUES ('globex-ann', 'globex', 'ann',
				'member', '2026-01-01')`,
			do:    doAccept("to-ann", "ann", false),
			fails: authdb.ErrNotPending,
		},
		{
			name: "a member accepts and stays what it is",
			given: `INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, inviter_id)
				VALUES ('to-bob', 'globex', 'bob@x.io', 'owner', 'gold', 'pending', '2026-06-03', 'otto'),
					('to-acme', 'acme', 'bob@x.io', 'owner', NULL, 'pending', '2026-06-03', 'ann');
				INSERT INTO member VALUES ('globex-ann', 'globex', 'ann', 'member', '2026-01-01')`,
			free: []string{
				"organization globex", "member globex-bob", "member globex-otto", "user bob", "invitation to-bob", "team gold",
			},
			do:      doAccept("to-bob", "bob", false, within(3, 2)),
			changes: `~ invitation to-bob status=accepted`,
		},
		{
			name:  "a canceled invitation is not accepted",
			given: `INSERT INTO "user" (id, name, email) VALUES ('fay', 'fay', 'fay@x.io'), ('gil', 'gil', 'gil@x.io')`,
			do:    doAccept("to-gil", "gil", false),
			fails: authdb.ErrNotPending,
		},
		{
			name: "an expired invitation is not accepted",
			given: `INSERT INTO "user" (id, name, email) VALUES ('fay', 'fay', 'fay@x.io'), ('gil', 'gil', 'gil@x.io');
				UPDATE invitation SET team_id = 'red' WHERE id = 'to-fay'`,
			do:    doAccept("to-fay", "fay", false),
			fails: authdb.ErrExpired,
		},
		{
			name: "an invitation is accepted up to the limits",
			do:   doAccept("to-cyd", "cyd", false, within(4, 3)),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ team red member_count=3 updated`,
		},
		{
			name: "accepting closes what else the address has pending there",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, 'acme', 'cyd@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
				('twice', 'pending'), ('refused', 'rejected')) i (id, status)`,
			do: doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ invitation twice status=canceled
				~ team red member_count=3 updated`,
		},
		{
			name:  "no invitation is accepted beyond the limit",
			do:    doAccept("to-cyd", "cyd", false, within(3, 0)),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "no invitation is accepted to a full team",
			do:    doAccept("to-cyd", "cyd", false, within(0, 2)),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "no invitation is accepted to a team whose seats are counted as taken",
			given: "UPDATE team SET member_count = 4 WHERE id = 'red'",
			do:    doAccept("to-cyd", "cyd", false, within(0, 4)),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "no invitation is accepted to a team whose seats are taken but not counted",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doAccept("to-cyd", "cyd", false, within(0, 2)),
			fails: authdb.ErrLimitReached,
		},
		{
			name: "accepting waits for another that takes the last place",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO member VALUES ('acme-dan',
				'acme', 'dan', 'member', '2026-06-01')`,
			do:      doAccept("to-cyd", "cyd", false, within(4, 0)),
			fails:   authdb.ErrLimitReached,
			changes: `+ member acme-dan organization_id=acme role=member user_id=dan`,
		},
		{
			name:    "accepting waits for a cancellation",
			rival:   "UPDATE invitation SET status = 'canceled' WHERE id = 'to-cyd'",
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=canceled`,
		},
		{
			name:    "accepting waits for a server that reserves the last seat",
			rival:   "UPDATE team SET member_count = member_count + 1 WHERE id = 'red' AND member_count < 3",
			do:      doAccept("to-cyd", "cyd", false, within(0, 3)),
			fails:   authdb.ErrLimitReached,
			changes: `~ team red member_count=3`,
		},
		{
			name:    "accepting waits for a server that changes the address",
			rival:   `UPDATE "user" SET email = 'cydney@x.io' WHERE id = 'cyd'`,
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotRecipient,
			changes: `~ user cyd email=cydney@x.io`,
		},
		{
			name: "accepting waits for a server that removes the member",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'pending', '2026-06-03', 'olga')`,
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doAccept("to-bob", "bob", false, within(3, 0)),
			changes: `
				+ member new1 organization_id=acme role=admin user_id=bob
				- member acme-bob
				~ invitation to-bob status=accepted`,
		},
		{
			name: "who is being removed and accepts needs a place",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'pending', '2026-06-03', 'olga')`,
			rival:   "DELETE FROM member WHERE id = 'acme-bob'",
			do:      doAccept("to-bob", "bob", false, within(2, 0)),
			fails:   authdb.ErrLimitReached,
			changes: `- member acme-bob`,
		},
		{
			name:    "accepting again waits for a server that removes the member",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doAccept("to-ann", "ann", false),
			fails:   authdb.ErrNotPending,
			changes: `- member acme-ann`,
		},
		{
			name: "accepting waits for a server that removes the member, and then the seats",
			given: `INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'red', 'pending', '2026-06-03', 'olga')`,
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			then: `SELECT FROM team WHERE id = 'red' FOR NO KEY UPDATE NOWAIT; DELETE FROM team_member WHERE id = 'red-bob';
				UPDATE team SET member_count = member_count - 1 WHERE id = 'red'`,
			do: doAccept("to-bob", "bob", false),
			changes: `
				+ member new1 organization_id=acme role=admin user_id=bob
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=bob
				- member acme-bob
				- team_member red-bob
				~ invitation to-bob status=accepted
				~ team red updated`,
		},
		{
			name: "accepting locks teams in order",
			run: inOrder(`SELECT FROM team WHERE id = 'red' FOR UPDATE`,
				`SELECT FROM team WHERE id = 'blue' FOR NO KEY UPDATE`, doAccept("to-dan", "dan", false)),
		},
		{
			name:  "accepting waits for a server that adds to the team",
			rival: "INSERT INTO team_member (id, team_id, user_id) VALUES ('red-cyd', 'red', 'cyd')",
			do:    doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member red-cyd team_id=red user_id=cyd
				~ invitation to-cyd status=accepted`,
		},
		{
			name:    "an invitation is rejected",
			free:    []string{"invitation to-cyd-2"},
			do:      doReject("to-cyd-2", "cyd"),
			changes: `~ invitation to-cyd-2 status=rejected`,
		},
		{
			name:  "only the recipient rejects",
			do:    doReject("to-cyd", "dan"),
			fails: authdb.ErrNotRecipient,
		},
		{
			name: "an unproved address rejects nothing",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
				VALUES ('to-eve-2', 'acme', 'eve@x.io', 'member', 'pending', '2026-06-03', '2026-05-30', 'olga')`,
			do:    doReject("to-eve-2", "eve", func(p *authdb.RejectInvitationParams) { p.AllowUnverified = false }),
			fails: authdb.ErrEmailNotVerified,
		},
		{
			name: "an unproved address rejects where that is allowed",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
				VALUES ('to-eve-2', 'acme', 'eve@x.io', 'member', 'pending', '2026-06-03', '2026-05-30', 'olga')`,
			do:      doReject("to-eve-2", "eve"),
			changes: `~ invitation to-eve-2 status=rejected`,
		},
		{
			name:    "a proved address rejects",
			do:      doReject("to-cyd-2", "cyd", func(p *authdb.RejectInvitationParams) { p.AllowUnverified = false }),
			changes: `~ invitation to-cyd-2 status=rejected`,
		},
		{
			name:  "no invitation is rejected that is not there",
			do:    doReject("none", "cyd"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "an accepted invitation is not rejected",
			do:    doReject("to-ann", "ann"),
			fails: authdb.ErrNotPending,
		},
		{
			name:    "rejecting waits for an acceptance",
			rival:   "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:      doReject("to-cyd", "cyd"),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=accepted`,
		},
		{
			name:    "rejecting waits for a server that changes the address",
			rival:   `UPDATE "user" SET email = 'cydney@x.io' WHERE id = 'cyd'`,
			do:      doReject("to-cyd", "cyd"),
			fails:   authdb.ErrNotRecipient,
			changes: `~ user cyd email=cydney@x.io`,
		},
		{
			name:    "an invitation is canceled",
			do:      doCancel("acme", "to-eve"),
			changes: `~ invitation to-eve status=canceled`,
		},
		{
			name:  "nobody cancels an invitation of another organization",
			do:    doCancel("globex", "to-cyd"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "an accepted invitation is not canceled",
			do:    doCancel("acme", "to-ann"),
			fails: authdb.ErrNotPending,
		},
		{
			name:    "canceling waits for an acceptance",
			rival:   "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:      doCancel("acme", "to-cyd"),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=accepted`,
		},
		{
			name: "expired invitations are closed",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Invitations.CancelExpired(ctx, "acme")
				return returned(n, 1, err)
			},
			changes: `~ invitation to-fay status=canceled`,
		},
		{
			name: "an invitation is deleted",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Invitations.Delete(ctx, "acme", "to-eve")
			},
			changes: `- invitation to-eve`,
		},
		{
			name: "nobody deletes an invitation of another organization",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Invitations.Delete(ctx, "globex", "to-eve")
			},
			fails: authdb.ErrNotFound,
		},
		{
			name: "of many links of an identity one wins",
			given: `INSERT INTO "user" (id, name, email) SELECT 'u' || n, 'u', 'u' || n || '@x.io' FROM
				generate_series(0, 99) n`,
			run: storm(kit.Hard(t, 10, 100), func(i int) operation {
				return doLink(fmt.Sprintf("u%d", i), "777", "new")
			}, authdb.ErrAccountTaken),
		},
		{
			name: "of many guesses of a code one wins",
			run:  storm(kit.Hard(t, 20, 200), func(int) operation { return doGuess("code", "123456") }, authdb.ErrNotFound),
		},
		{
			name: "of many consumers of a verification one wins",
			run: storm(kit.Hard(t, 20, 200), func(int) operation {
				return doConsume("reset", "reset-a")
			}, authdb.ErrNotFound),
		},
		{
			name: "of many refreshes one writes",
			run:  storm(kit.Hard(t, 20, 200), func(int) operation { return doRefreshed("bob1") }, errNotDue),
		},
	})
}
