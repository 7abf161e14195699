package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// network is a way to the server.
type network struct {
	name    string
	at      address
	delay   time.Duration
	proxied bool
}

// seat is a contender on a network, with connections of its own.
type seat struct {
	contender
	entry
	proxy    *proxy
	backends []int // the server's processes
}

// cell is what was measured of a workload, a network and a contender.
type cell struct {
	quiet          []float64 // of each round, the lower quartile, in µs
	ops            int
	client, server time.Duration
	trips          float64
	allocs, bytes  float64 // -1: of another process
}

type key struct{ workload, network, contender string }

type bench struct {
	*server
	workloads []*workload
	wake      *workload // before a turn
	entries   []entry
	networks  []network
	began     time.Time
	number    int           // of rounds
	patience  time.Duration // after which no round begins; 0: never
	slice     time.Duration // of a contender in a round, for a workload that only reads
	recorded  map[string]recording
	pools     map[*workload][]*input
	serial    int
	cells     map[key]*cell
	drizzle   string // its versions; empty where there is no Node
}

const perPhase = 400 // inputs, at most

// with calls fn with n inputs. What writes gets new ones, of which nothing stays.
func (b *bench) with(ctx context.Context, w *workload, n int, fn func([]*input) error) (err error) {
	if !w.writes() {
		pool := b.pools[w]
		if pool == nil {
			if pool, err = w.take(ctx, b.admin, w.n, 0); err != nil {
				return err
			}
			b.pools[w] = pool
		}
		ins, start := make([]*input, n), rand.N(len(pool))
		for i := range ins {
			ins[i] = pool[(start+i)%len(pool)]
		}
		return fn(ins)
	}
	b.serial++
	ins, err := w.take(ctx, b.admin, n, b.serial)
	if err != nil {
		return err
	}
	err = fn(ins)
	_, cleanErr := b.admin.Exec(ctx, clean)
	return errors.Join(err, cleanErr)
}

// sit connects all contenders by a network.
func (b *bench) sit(ctx context.Context, n network) ([]*seat, error) {
	var seats []*seat
	for _, e := range b.entries {
		s := &seat{entry: e}
		at := n.at
		at.Name = "bench-" + strconv.Itoa(len(seats))
		var err error
		if n.proxied {
			if s.proxy, at, err = newProxy(ctx, at, n.delay); err != nil {
				return seats, err
			}
		}
		if s.contender, err = e.open(ctx, b, at); err != nil {
			return seats, fmt.Errorf("%s by %s: %w", e.name, n.name, err)
		}
		seats = append(seats, s)
	}
	return seats, nil
}

func stand(seats []*seat) {
	for _, s := range seats {
		s.close()
		if s.proxy != nil {
			s.proxy.stop()
		}
	}
}

// compare fails where a contender returns other rows than the floor, or leaves another state.
func (b *bench) compare(ctx context.Context, seats []*seat) error {
	for _, w := range b.workloads {
		var in0 *input // all read the same
		if !w.writes() {
			if err := b.with(ctx, w, 1, func(ins []*input) error { in0 = ins[0]; return nil }); err != nil {
				return err
			}
		}
		var want []string
		for _, s := range seats {
			if !s.does(w) || w.writes() && s.name == bareName {
				continue
			}
			var got []string
			err := b.with(ctx, w, 1, func(ins []*input) error {
				in := ins[0]
				if in0 != nil {
					in = in0
				}
				rows, err := s.result(ctx, w, in)
				if err == nil && w.writes() {
					var state string
					err = b.admin.QueryRow(ctx, w.state, in.UserID, in.OrganizationID).Scan(&state)
					rows = map[string]any{"state": state}
				}
				got = flatten(rows)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s by %s: %w", w.name, s.name, err)
			}
			if want == nil {
				want = got
				continue
			}
			if text := differ(got, want); text != "" {
				return fmt.Errorf("%s by %s is not what %s makes of it:%s", w.name, s.name, seats[0].name, text)
			}
		}
		if len(want) == 0 {
			return fmt.Errorf("%s has no rows", w.name)
		}
	}
	return nil
}

// warm brings every connection past preparing and custom plans, and counts what is exact: round trips where a proxy
// counts them, allocations otherwise.
func (b *bench) warm(ctx context.Context, n network, seats []*seat) error {
	for _, w := range b.workloads {
		times, counted := 8, 5
		if w.once {
			times, counted = 2, 1
		}
		for _, s := range seats {
			if !s.does(w) {
				continue
			}
			c := b.cell(w, n, s.entry)
			err := b.with(ctx, w, times, func(ins []*input) error {
				_, _, err := s.phase(ctx, w, ins, 0)
				return err
			})
			if err == nil {
				err = b.with(ctx, w, counted, func(ins []*input) error { return count(ctx, w, s, ins, c) })
			}
			if err != nil {
				return fmt.Errorf("%s by %s on %s: %w", w.name, s.name, n.name, err)
			}
		}
	}
	for i, s := range seats {
		rows, err := b.admin.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name = $1",
			"bench-"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		for rows.Next() {
			var pid int
			if err := rows.Scan(&pid); err != nil {
				return err
			}
			s.backends = append(s.backends, pid)
		}
	}
	return nil
}

func count(ctx context.Context, w *workload, s *seat, ins []*input, c *cell) error {
	p, here := s.contender.(*peer)
	if here && p.prepare != nil { // by itself, so that it is not counted
		if err := p.prepare(w, ins); err != nil {
			return err
		}
		p = &peer{jobs: p.jobs}
	}
	var trips int64
	if s.proxy != nil {
		trips = s.proxy.trips.Load()
	}
	c.allocs, c.bytes = -1, -1
	if here {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := p.phase(ctx, w, ins, 0)
		runtime.ReadMemStats(&after)
		if err != nil {
			return err
		}
		// One is the slice of the times.
		c.allocs = float64(after.Mallocs-before.Mallocs-1) / float64(len(ins))
		c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(len(ins))
	} else if _, _, err := s.phase(ctx, w, ins, 0); err != nil {
		return err
	}
	if s.proxy != nil {
		c.trips = float64(s.proxy.trips.Load()-trips) / float64(len(ins))
	}
	return nil
}

func (b *bench) cell(w *workload, n network, e entry) *cell {
	k := key{w.name, n.name, e.name}
	if b.cells[k] == nil {
		b.cells[k] = &cell{}
	}
	return b.cells[k]
}

// round lets each contender do each workload for a while, one after the other, each time in another order.
func (b *bench) round(ctx context.Context, n network, seats []*seat) error {
	for _, w := range b.workloads {
		size, limit := w.n, time.Duration(0)
		if !w.writes() {
			size, limit = perPhase, b.slice
		}
		var same []*input
		for _, i := range rand.Perm(len(seats)) {
			s := seats[i]
			if !s.does(w) {
				continue
			}
			err := b.with(ctx, w, size, func(ins []*input) error {
				if !w.writes() {
					if same == nil {
						same = ins
					}
					ins = same
				}
				// A connection that has waited for its turn may be asked first whether it still lives.
				if _, _, err := s.phase(ctx, b.wake, b.pools[b.wake][:1], 0); err != nil {
					return err
				}
				runtime.GC() // one leaves no work to the next
				c := b.cell(w, n, s.entry)
				served := s.served()
				times, cpu, err := s.phase(ctx, w, ins, limit)
				if err != nil {
					return fmt.Errorf("%s by %s on %s: %w", w.name, s.name, n.name, err)
				}
				c.quiet = append(c.quiet, float64(quartile(times).Nanoseconds())/1000)
				c.ops += len(times)
				c.client += cpu
				c.server += s.served() - served
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// served is the processor time of the server's processes that work for a contender, where it can be known.
func (s *seat) served() (sum time.Duration) {
	for _, pid := range s.backends {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "schedstat"))
		if err != nil {
			return 0
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, _ := strconv.ParseInt(first, 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}
