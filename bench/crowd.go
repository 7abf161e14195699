package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"golang.org/x/sync/errgroup"
)

const (
	lanes       = 4
	poolSize    = 16
	crowdRounds = 9
	crowdSlice  = 300 * time.Millisecond
	coldCalls   = 7
	coldRounds  = 40
)

// crowd is what no contender beside authdb has: Authenticate of many callers at once, with and without coalescing, and
// the first calls of a connection, with and without a setting of the server's. Each pair takes turns.
func (b *bench) crowd(ctx context.Context) (string, error) {
	near := b.socket
	if near.Host == "" {
		near = b.tcp
	}
	rows, err := b.admin.Query(ctx, "SELECT token FROM session WHERE expires_at > now() ORDER BY md5(id) LIMIT 20000")
	if err != nil {
		return "", err
	}
	var tokens []authdb.Secret
	for rows.Next() {
		var token string
		if err := rows.Scan(&token); err != nil {
			return "", err
		}
		tokens = append(tokens, authdb.Secret(token))
	}
	if err := errors.Join(rows.Err(), ctx.Err()); err != nil || len(tokens) == 0 {
		return "", errors.Join(err, errors.New("no live session"))
	}
	var text strings.Builder
	err = errors.Join(manyCallers(ctx, &text, near, tokens), newConnections(ctx, &text, near, tokens))
	return text.String(), err
}

func manyCallers(ctx context.Context, text *strings.Builder, at address, tokens []authdb.Secret) error {
	open := func(options ...authdb.Option) (*authdb.Store, error) {
		return authdb.Open(ctx, at.dsn(), append(options, authdb.WithPoolConfig(func(c *pgxpool.Config) {
			c.MaxConns, c.MinConns = poolSize, poolSize
		}))...)
	}
	plain, err := open()
	if err != nil {
		return err
	}
	defer plain.Close()
	joined, err := open(authdb.WithCoalescing(lanes))
	if err != nil {
		return err
	}
	defer joined.Close()
	fmt.Fprintf(text, `
## Many callers

Calls of Sessions.Authenticate per second on a store with WithCoalescing(%d), as a ratio to one without it, each on a
pool of %d connections; above 1, it answers more calls in the same time.

| callers | without, calls/s | with WithCoalescing |
|--:|--:|--:|
`, lanes, poolSize)
	for _, callers := range []int{1, 4, 16, 64, 256} {
		say("Authenticate of %d callers", callers)
		var without, with []float64
		for round := range crowdRounds + 1 {
			rates := map[*authdb.Store]float64{}
			for _, s := range [][]*authdb.Store{{plain, joined}, {joined, plain}}[round%2] {
				runtime.GC()
				if rates[s], err = rate(ctx, s, tokens, callers); err != nil {
					return err
				}
			}
			if round > 0 { // the first round only warms up
				without, with = append(without, rates[plain]), append(with, rates[joined])
			}
		}
		r := over(with, without)
		fmt.Fprintf(text, "| %d | %.0f | %.2f [%.2f–%.2f] |\n", callers, estimateOf(without).Median, r.Median, r.Low, r.High)
	}
	return nil
}

// rate returns how many calls per second all callers got answered.
func rate(ctx context.Context, s *authdb.Store, tokens []authdb.Secret, callers int) (float64, error) {
	var calls atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range callers {
		group.Go(func() error {
			for time.Since(began) < crowdSlice {
				if _, err := s.Sessions.Authenticate(ctx, tokens[rand.N(len(tokens))]); err != nil {
					return err
				}
				calls.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(calls.Load()) / time.Since(began).Seconds(), err
}

func newConnections(ctx context.Context, text *strings.Builder, at address, tokens []authdb.Secret) error {
	say("the first calls of a connection")
	ways := []string{"", "&options=-c%20plan_cache_mode%3Dforce_generic_plan"}
	times := map[string][coldCalls][]float64{}
	for range coldRounds {
		for _, way := range ways {
			s, err := authdb.Open(ctx, at.dsn()+way, authdb.WithPoolConfig(func(c *pgxpool.Config) { c.MaxConns = 1 }))
			if err != nil {
				return err
			}
			all := times[way]
			for i := range coldCalls {
				began := time.Now()
				if _, err := s.Sessions.Authenticate(ctx, tokens[rand.N(len(tokens))]); err != nil {
					return err
				}
				all[i] = append(all[i], float64(time.Since(began).Microseconds()))
			}
			times[way] = all
			s.Close()
		}
	}
	fmt.Fprintf(text, `
## A new connection

The first calls of Sessions.Authenticate on a connection, in µs. PostgreSQL plans each statement anew for its first five
calls and keeps the plan of the sixth. With options=-c plan_cache_mode=force_generic_plan in the DSN it keeps the first.
Open does not set that: it would also affect the program's own statements on the pool, and PgBouncer does not pass it
on. It suits a pool that only authdb uses, since each of its statements has one plan that is right for all arguments.

| |%s
|---|%s
`, numbers(coldCalls), strings.Repeat("--:|", coldCalls))
	for i, way := range ways {
		fmt.Fprintf(text, "| %s |", []string{"as it is", "force_generic_plan"}[i])
		for _, call := range times[way] {
			fmt.Fprintf(text, " %.0f |", quartile(call))
		}
		fmt.Fprintln(text)
	}
	return nil
}

func numbers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, " %d |", i+1)
	}
	return text.String()
}
