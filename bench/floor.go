package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
)

// floor sends the very statements that authdb sends, as one would by hand: on a connection that it holds, in a batch
// where there are several, with arguments that are made beforehand, and rows read by pgx into plain structs. What the
// statements are it learns from authdb's own calls.
type floor struct {
	conn     *pgx.Conn
	recorded map[string]recording
	bound    map[*input][]statement
}

type statement struct {
	sql    string
	args   []any
	answer bool // it has more than one column: rows, and not the word of a verdict or the id of what was locked
}

type recording struct {
	statements []statement
	in         *input
	at         time.Time
}

func openFloor(ctx context.Context, b *bench, at address) (contender, error) {
	conn, err := pgx.Connect(ctx, at.dsn())
	if err != nil {
		return nil, err
	}
	f := &floor{conn: conn, recorded: b.recorded, bound: map[*input][]statement{}}
	return &peer{jobs: f, prepare: f.bind, end: func() error { return conn.Close(ctx) }}, nil
}

func (f *floor) authenticate(ctx context.Context, in *input) error {
	return rowsOf[authenticated](ctx, f, in)
}

func (f *floor) userByID(ctx context.Context, in *input) error { return rowsOf[userRow](ctx, f, in) }

func (f *floor) userByEmail(ctx context.Context, in *input) error { return rowsOf[userRow](ctx, f, in) }

func (f *floor) createSession(ctx context.Context, in *input) error {
	return rowsOf[sessionRow](ctx, f, in)
}

func (f *floor) createOrganization(ctx context.Context, in *input) error {
	return rowsOf[organizationRow](ctx, f, in)
}

func (f *floor) acceptInvitation(ctx context.Context, in *input) error {
	return rowsOf[invitationMember](ctx, f, in)
}

func (f *floor) changeRole(ctx context.Context, in *input) error {
	return rowsOf[memberRow](ctx, f, in)
}
func (f *floor) createSessions(ctx context.Context, in *input) error { return f.send(ctx, in) }
func (f *floor) purge(ctx context.Context, in *input) error          { return f.send(ctx, in) }

// rowsOf is a workload with one answer.
func rowsOf[T any](ctx context.Context, f *floor, in *input) error {
	var rows []T
	err := f.send(ctx, in, into(&rows))
	return show(in, rows, err)
}

func (f *floor) userFull(ctx context.Context, in *input) error {
	var g userGraph
	var users []userRow
	err := f.send(ctx, in, into(&users), into(&g.Sessions), into(&g.Accounts), into(&g.Members), into(&g.TeamMembers),
		into(&g.Invitations))
	if err == nil {
		g.User = users[0]
	}
	return show(in, g, err)
}

func (f *floor) organizationFull(ctx context.Context, in *input) error {
	var g organizationGraph
	var organizations []organizationRow
	err := f.send(ctx, in, into(&organizations), into(&g.Members), into(&g.Teams), into(&g.TeamMembers),
		into(&g.Invitations))
	if err == nil {
		g.Organization = organizations[0]
	}
	return show(in, g, err)
}

// page gets a row more than it returns, as authdb does to know whether another page follows.
func (f *floor) page(ctx context.Context, in *input) error {
	var rows []memberUser
	err := f.send(ctx, in, into(&rows))
	return show(in, rows[:min(len(rows), in.Limit)], err)
}

func (f *floor) deleteUser(ctx context.Context, in *input) error {
	var sessions []sessionRow
	err := f.send(ctx, in, into(&sessions), func(rows pgx.Rows) error { rows.Close(); return rows.Err() })
	return show(in, sessions, err)
}

func into[T any](to *[]T) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	}
}

var errOther = errors.New("authdb's statements have other answers than floor.go reads")

// send sends the statements of an input, and reads the answers, each in its own way.
func (f *floor) send(ctx context.Context, in *input, answers ...func(pgx.Rows) error) error {
	statements := f.bound[in]
	expected := 0
	for i := range statements {
		if statements[i].answer {
			expected++
		}
	}
	if expected != len(answers) {
		return errOther
	}
	if len(statements) == 1 {
		s := &statements[0]
		if !s.answer {
			_, err := f.conn.Exec(ctx, s.sql, s.args...)
			return err
		}
		rows, err := f.conn.Query(ctx, s.sql, s.args...)
		if err != nil {
			return err
		}
		return answers[0](rows)
	}
	batch := &pgx.Batch{}
	for i := range statements {
		batch.Queue(statements[i].sql, statements[i].args...)
	}
	results := f.conn.SendBatch(ctx, batch)
	defer results.Close() //nolint:errcheck // at the end it is
	for i := range statements {
		if !statements[i].answer {
			if _, err := results.Exec(); err != nil {
				return err
			}
			continue
		}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		if err := answers[0](rows); err != nil {
			return err
		}
		answers = answers[1:]
	}
	return results.Close()
}

// bind makes the arguments of the statements: what was an input, an id, a token or a time of the recorded call is one
// of this call.
func (f *floor) bind(w *workload, ins []*input) error {
	clear(f.bound)
	r := f.recorded[w.name]
	later := now().Sub(r.at)
	for _, in := range ins {
		fresh := map[string]string{}
		from, to := reflect.ValueOf(r.in).Elem(), reflect.ValueOf(in).Elem()
		for i := range from.NumField() {
			if f := from.Field(i); f.Kind() == reflect.String && f.String() != "" {
				fresh[f.String()] = to.Field(i).String()
			}
		}
		statements := make([]statement, len(r.statements))
		for i, s := range r.statements {
			statements[i] = s
			statements[i].args = make([]any, len(s.args))
			for j, arg := range s.args {
				statements[i].args[j] = replaced(reflect.ValueOf(arg), fresh, later).Interface()
			}
		}
		f.bound[in] = statements
	}
	return nil
}

// made begins what was made for a recorded call.
const made = "recorded-"

func replaced(v reflect.Value, fresh map[string]string, later time.Duration) reflect.Value {
	if !v.IsValid() {
		return reflect.Zero(reflect.TypeFor[*string]())
	}
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.String:
		if strings.HasPrefix(v.String(), made) && fresh[v.String()] == "" {
			fresh[v.String()] = newID()
		}
		if text, ok := fresh[v.String()]; ok {
			out.SetString(text)
			return out
		}
	case v.Type() == timeType:
		if t := v.Interface().(time.Time); t.Year() > 2025 && t.Year() < 2100 {
			out.Set(reflect.ValueOf(t.Add(later)))
			return out
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(replaced(v.Elem(), fresh, later))
		return out
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(replaced(v.Index(i), fresh, later))
		}
		return out
	}
	return v
}

// recorder notes what is sent.
type recorder struct{ statements []statement }

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	r.statements = append(r.statements, statement{sql: d.SQL, args: d.Args})
	return ctx
}

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		r.statements = append(r.statements, statement{sql: q.SQL, args: q.Arguments})
	}
	return ctx
}

func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (*recorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// record does each workload once by authdb and returns what it sent.
func record(ctx context.Context, b *bench, at address) (map[string]recording, error) {
	var r recorder
	var n int
	id := func() string { n++; return fmt.Sprintf("%s%023d", made, n) }
	began := now()
	store, err := authdb.Open(ctx, at.dsn(), authdb.WithTracer(&r), authdb.WithIDs(id), authdb.WithTokens(id),
		authdb.WithClock(func() time.Time { return began }))
	if err != nil {
		return nil, err
	}
	ours := ourPeer(store)
	defer ours.close()
	recorded := map[string]recording{}
	for _, w := range append([]*workload{b.wake}, b.workloads...) {
		err := b.with(ctx, w, 1, func(ins []*input) error {
			r.statements = nil
			if _, err := ours.result(ctx, w, ins[0]); err != nil {
				return fmt.Errorf("%s by authdb: %w", w.name, err)
			}
			for i := range r.statements {
				s := &r.statements[i]
				described, err := b.admin.PgConn().Prepare(ctx, "", s.sql, nil)
				if err != nil {
					return err
				}
				s.answer = len(described.Fields) > 1
			}
			recorded[w.name] = recording{r.statements, ins[0], began}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return recorded, nil
}
