package rules_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
