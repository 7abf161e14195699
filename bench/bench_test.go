package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// small is a bench on few rows.
func small(t *testing.T) *bench {
	t.Helper()
	ctx := t.Context()
	all := workloads(50, 20_000)
	b := &bench{
		workloads: all, wake: all[1], entries: slices.Clone(entries), pools: map[*workload][]*input{},
		cells: map[key]*cell{}, slice: time.Millisecond,
	}
	var err error
	if b.server, err = startServer(ctx, 20_000, 20_000, 2000); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err := b.seekDrizzle(ctx); err != nil {
		t.Fatal(err)
	}
	near := b.socket
	if near.Host == "" {
		near = b.tcp
	}
	b.networks = []network{{name: "near", at: near, proxied: true}}
	if b.recorded, err = record(ctx, b, near); err != nil {
		t.Fatal(err)
	}
	return b
}

// liar returns another user, and changes no role.
type liar struct{ jobs }

func (l liar) userByID(ctx context.Context, in *input) error {
	err := l.jobs.userByID(ctx, in)
	if rows, ok := in.rows.([]userRow); ok {
		rows[0].Name = "Somebody else"
	}
	return err
}

func (liar) changeRole(context.Context, *input) error { return nil }

// TestContenders: all do the same, in rounds too, and one that does not is found.
func TestContenders(t *testing.T) {
	b := small(t)
	ctx := t.Context()
	seats, err := b.sit(ctx, b.networks[0])
	defer func() { stand(seats) }()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.compare(ctx, seats); err != nil {
		t.Fatal(err)
	}
	if err := b.warm(ctx, b.networks[0], seats); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.round(ctx, b.networks[0], seats); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range b.workloads {
		for _, e := range b.entries[:2] {
			if c := b.cells[key{w.name, "near", e.name}]; c.trips != 1 || len(c.quiet) != 2 || c.ops == 0 {
				t.Errorf("%s by %s: %+v", w.name, e.name, *c)
			}
		}
	}

	honest := seats[0].contender.(*peer)
	lying := *honest
	lying.jobs = liar{honest.jobs}
	for _, w := range b.workloads {
		one := *b
		one.workloads = []*workload{w}
		err := one.compare(ctx, []*seat{seats[0], {entry: entry{name: "liar"}, contender: &lying}})
		lies := w.op == "userByID" || w.op == "changeRole"
		if lies != (err != nil) || lies && !strings.Contains(err.Error(), w.name+" by liar is not what") {
			t.Errorf("%s: %v", w.name, err)
		}
	}
}

// TestFlatten: the form of a result does not matter, its rows do.
func TestFlatten(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	user := userRow{ID: "u", Name: "N", Email: "e", CreatedAt: at, UpdatedAt: at}
	member := memberRow{ID: "m", OrganizationID: "o", UserID: "u", Role: "owner", CreatedAt: at}
	var fromJSON any
	text := `[{"role":"owner",
		"user":{"updatedAt":"2026-01-02T03:04:05.006Z","createdAt":"2026-01-02T03:04:05.006Z","id":"u",
		"name":"N","email":"e","emailVerified":false,"image":null},"id":"m","organizationId":"o","userId":"u",
		"createdAt":"2026-01-02T03:04:05.006Z"}]`
	if err := json.Unmarshal([]byte(text), &fromJSON); err != nil {
		t.Fatal(err)
	}
	want := flatten([]memberUser{{member, user}})
	for name, result := range map[string]any{
		"nested": struct {
			Member memberRow
			User   *userRow
		}{member, &user},
		"JSON": fromJSON,
	} {
		if text := differ(flatten(result), want); text != "" {
			t.Errorf("%s:%s", name, text)
		}
	}
	for name, result := range map[string]any{
		"other value":  []memberUser{{member, userRow{ID: "u", Name: "X", Email: "e", CreatedAt: at, UpdatedAt: at}}},
		"other column": []memberUser{{member, userRow{ID: "u", Name: "e", Email: "N", CreatedAt: at, UpdatedAt: at}}},
		"row too many": []memberUser{{member, user}, {member, user}},
		"row too few":  []memberUser{},
	} {
		if differ(flatten(result), want) == "" {
			t.Errorf("%s: no difference", name)
		}
	}
}

// TestEstimate: the intervals are those of the sign test's tables.
func TestEstimate(t *testing.T) {
	for n, want := range map[int]estimate{
		1: {1, 1, 1}, 6: {3.5, 1, 6}, 7: {4, 1, 7}, 9: {5, 2, 8}, 12: {6.5, 3, 10}, 25: {13, 8, 18},
	} {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(n - i)
		}
		if got := estimateOf(values); got != want {
			t.Errorf("%d: got %v, want %v", n, got, want)
		}
	}
}

// TestRanks: what makes a round slow for all decides nothing; who is a little slower shares the place.
func TestRanks(t *testing.T) {
	var first, again, near, behind []float64
	for i := range 9 {
		load := float64(1 + i*i)
		first = append(first, load)
		again = append(again, load*(0.7+0.1*float64(i%7)))
		near = append(near, load*1.05)
		behind = append(behind, load*1.4)
	}
	got := ranks(map[string][]float64{"first": first, "again": again, "near": near, "behind": behind})
	for name, place := range map[string]int{"first": 1, "again": 1, "near": 1, "behind": 4} {
		if got[name] != place {
			t.Errorf("%s: got %d, want %d", name, got[name], place)
		}
	}
}

// TestProxy: a statement is a round trip, and so is a batch.
func TestProxy(t *testing.T) {
	b := small(t)
	p, at, err := newProxy(t.Context(), b.networks[0].at, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	conn, err := pgx.Connect(t.Context(), at.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	run := func() int64 {
		before := p.trips.Load()
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1")
		batch.Queue("SELECT repeat('x', 300000)")
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
			t.Fatal(err)
		}
		return p.trips.Load() - before
	}
	run() // prepares
	if got := run(); got != 2 {
		t.Errorf("got %d round trips, want 2", got)
	}
}
