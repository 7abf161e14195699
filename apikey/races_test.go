package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// naive is a verify that reads, decides and then writes what it has read, as servers up to 1.5 do.
func naive(ctx context.Context, pool *pgxpool.Pool, id string) error {
	var remaining, limit *int
	var count int
	if err := pool.QueryRow(ctx, `SELECT remaining, rate_limit_max, request_count FROM apikey WHERE id = $1`, id).
		Scan(&remaining, &limit, &count); err != nil {
		return err
	}
	if remaining != nil && *remaining <= 0 || limit != nil && count >= *limit {
		return apikey.ErrUsageExceeded
	}
	if remaining != nil {
		*remaining--
	}
	_, err := pool.Exec(ctx, `UPDATE apikey SET remaining = $2, request_count = $3 WHERE id = $1`, id, remaining, count+1)
	return err
}

// TestRaces: however many verify a key at once, directly or when a lock that they wait for is let go, no more pass than
// it has left, and all that it has. The control overspends.
func TestRaces(t *testing.T) {
	t.Parallel()
	rounds := kit.Hard(t, 3, 50)
	cases := map[string]struct {
		set    string
		passes int
	}{
		"remaining 1":           {`remaining = 1, rate_limit_max = NULL`, 1},
		"remaining 5":           {`remaining = 5, rate_limit_max = NULL`, 5},
		"a limit of 3":          {`rate_limit_max = 3`, 3},
		"a window under way":    {`rate_limit_max = 3, request_count = 1, last_request = timezone('UTC', now())`, 2},
		"a refill of 4":         {`remaining = 0, refill_amount = 4, refill_interval = 3600000, created_at = created_at - interval '1 day', rate_limit_max = NULL`, 4},
		"remaining 2, limit 5":  {`remaining = 2, rate_limit_max = 5`, 2},
		"remaining 5, limit 2":  {`remaining = 5, rate_limit_max = 2`, 2},
		"a limit, started anew": {`rate_limit_max = 2, request_count = 2, last_request = timezone('UTC', now()) - interval '2 days'`, 2},
	}
	for layout, schema := range layouts {
		store := schema.New(t, authdb.WithPoolConfig(func(c *pgxpool.Config) { c.MaxConns = 66 }))
		keys := must[*apikey.Keys](t)(apikey.New(t.Context(), store, apikey.Options{}))
		user := authdbtest.User(t, store)
		play := func(set string, callers int, held bool, verify func(made apikey.Created) error) (passed int, id string) {
			made := must[apikey.Created](t)(keys.Create(t.Context(), apikey.CreateParams{OwnerID: user.ID}))
			if _, err := store.Pool().Exec(t.Context(), `UPDATE apikey SET `+set+` WHERE id = $1`, made.ID); err != nil {
				t.Fatal(err)
			}
			hold := must[pgx.Tx](t)(store.Pool().Begin(t.Context()))
			defer func() { _ = hold.Rollback(context.Background()) }()
			if held {
				if _, err := hold.Exec(t.Context(), `SELECT FROM apikey WHERE id = $1 FOR UPDATE`, made.ID); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					err := verify(made)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						passed++
					} else if apikey.Code(err) == "" {
						t.Error(err)
					}
				})
			}
			if held {
				waitFor(t, store, callers)
			}
			if err := hold.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			return passed, made.ID
		}
		overspent := false
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			c := cases[name]
			for _, callers := range []int{8, 64} {
				for _, held := range []bool{false, true} {
					for range rounds {
						passed, id := play(c.set, callers, held, func(made apikey.Created) error {
							_, err := keys.Verify(t.Context(), made.Secret, nil)
							return err
						})
						if passed != c.passes {
							t.Errorf("%s, %s, %d at once, held: %v: %d passed, want %d; %v", layout, name, callers, held, passed, c.passes, rowOf(t, store, id))
						}
					}
				}
			}
		}
		for range 100 { // sooner or later
			passed, _ := play(`remaining = 1, rate_limit_max = NULL`, 8, false, func(made apikey.Created) error {
				return naive(t.Context(), store.Pool(), made.ID)
			})
			if overspent = passed > 1; overspent {
				break
			}
		}
		if !overspent {
			t.Error("control: a verify that locks nothing overspends nothing")
		}
	}
}

// waitFor waits until so many wait for a lock in the store's database.
func waitFor(t *testing.T, store *authdb.Store, n int) {
	t.Helper()
	for waiting := -1; waiting < n; {
		if err := store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestMeanwhile: what another program does to a key while a verify waits counts, and stays.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	for layout, schema := range layouts {
		store := schema.New(t)
		keys := must[*apikey.Keys](t)(apikey.New(t.Context(), store, apikey.Options{}))
		user := authdbtest.User(t, store)
		for _, c := range []struct {
			does    string
			want    error
			columns string // enabled and remaining afterwards
		}{
			{`UPDATE apikey SET enabled = false`, apikey.ErrDisabled, "false 5"},
			{`UPDATE apikey SET remaining = 50`, nil, "true 49"},
			{`UPDATE apikey SET remaining = 0`, apikey.ErrUsageExceeded, ""},
			{`UPDATE apikey SET expires_at = '2020-01-01'`, apikey.ErrExpired, ""},
			{`UPDATE apikey SET permissions = '{}'`, apikey.ErrNotPermitted, "true 5"},
			{`UPDATE apikey SET key = 'another'`, apikey.ErrInvalidKey, "true 5"},
			{`DELETE FROM apikey`, apikey.ErrInvalidKey, ""},
		} {
			made := must[apikey.Created](t)(keys.Create(t.Context(), apikey.CreateParams{
				OwnerID: user.ID, Remaining: new(5), Permissions: map[string][]string{"files": {"read"}},
			}))
			tx := must[pgx.Tx](t)(store.Pool().Begin(t.Context()))
			if _, err := tx.Exec(t.Context(), c.does+` WHERE id = $1`, made.ID); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := keys.Verify(t.Context(), made.Secret, map[string][]string{"files": {"read"}})
				done <- err
			}()
			waitFor(t, store, 1)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := <-done
			columns := ""
			if row := rowOf(t, store, made.ID); row != nil {
				columns = fmt.Sprint(row["enabled"], " ", row["remaining"])
			}
			if !errors.Is(err, c.want) || columns != c.columns {
				t.Errorf("%s, %s: %v, afterwards %q, want %v, %q", layout, c.does, err, columns, c.want, c.columns)
			}
		}
	}
}
