package rules_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

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
	// What has changed in the end, each on a line: "+ table id columns", "- table id", "~ table id columns". Rows of which
	// the same is said share a line: "- table id,id".
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
		if sign, ids, ok := strings.Cut(strings.Join(strings.Fields(line), " "), " "); ok {
			table, ids, _ := strings.Cut(ids, " ")
			ids, columns, _ := strings.Cut(ids, " ")
			for id := range strings.SplitSeq(ids, ",") {
				wanted = append(wanted, strings.TrimSpace(sign+" "+table+" "+id+" "+columns))
			}
		}
	}
	slices.Sort(wanted)
	if got := diffRows(before, after); !slices.Equal(got, wanted) {
		return fmt.Errorf("changes:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(wanted, "\n\t"))
	}
	return nil
}

// What goes along with one that goes.
const (
	acmeDeleted = `
		- invitation to-ann,to-cyd,to-dan,to-eve,to-fay,to-gil,to-gil-2
		- member acme-ann,acme-bob,acme-olga
		- organization acme
		- team blue,red
		- team_member blue-ann,red-ann,red-bob
		~ session ann1,ann2,bob1 active_organization_id=NULL active_team_id=NULL updated
		~ session bob-old,olga1 active_organization_id=NULL updated`
	annDeleted = `
		- account ann-github
		- invitation to-dan
		- member acme-ann
		- session ann1,ann2
		- team_member blue-ann,red-ann
		- user ann
		~ team blue member_count=0 updated
		~ team red member_count=1 updated`
	annRemoved = `
		- member acme-ann
		- team_member blue-ann,red-ann
		~ session ann1,ann2 active_organization_id=NULL active_team_id=NULL updated
		~ team blue member_count=0 updated
		~ team red member_count=1 updated`
	blueDeleted = `
		- team blue
		- team_member blue-ann
		~ invitation to-dan team_id=red
		~ session ann2 active_team_id=NULL updated`
	bobDeleted = `
		- account bob-github,bob-password
		- member acme-bob,globex-bob
		- session bob-old,bob1,bob2,bob3
		- team_member gold-bob,red-bob
		- user bob
		~ team gold,red member_count=1 updated`
	bobRemoved = `
		- member acme-bob
		- team_member red-bob
		~ session bob-old active_organization_id=NULL updated
		~ session bob1 active_organization_id=NULL active_team_id=NULL updated
		~ session bob3 active_team_id=NULL updated
		~ team red member_count=1 updated`
	cydAccepted = `
		+ member new1 organization_id=acme role=member user_id=cyd
		+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
		~ invitation to-cyd status=accepted
		~ team red member_count=3 updated`
	danDeleted = `
		- account dan-github,dan-password
		- session dan-old,dan1
		- user dan`
	globexDeleted = `
		- invitation to-cyd-2,to-fay-2
		- member globex-bob,globex-otto
		- organization globex
		- team gold
		- team_member gold-bob,gold-otto
		~ session bob2,bob3,otto1 active_organization_id=NULL active_team_id=NULL updated`
	olgaDeleted = `
		- account olga-password
		- invitation to-ann,to-cyd,to-eve,to-fay,to-gil,to-gil-2
		- member acme-olga
		- session olga1
		- user olga`
	redDeleted = `
		- team red
		- team_member red-ann,red-bob
		~ invitation to-cyd team_id=NULL
		~ invitation to-dan team_id=blue
		~ session ann1,bob1,bob3 active_team_id=NULL updated`
)

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

func idsOf[T any](rows []T, id func(T) string) string {
	var all []string
	for _, row := range rows {
		all = append(all, id(row))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func sessionID(s authdb.Session) string { return s.ID }

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
	return withPlugins(slices.Concat(userScenarios(), sessionScenarios(t), accountScenarios(t), verificationScenarios(t), organizationScenarios(), memberScenarios(), teamScenarios(), teamMemberScenarios(), invitationScenarios()))
}
