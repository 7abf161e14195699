// Command bench compares authdb with its alternatives, on the same rows and with the same results: pgx by hand,
// sqlc, database/sql, GORM, ent, bun and Drizzle. See docs/benchmarks.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:generate go tool ent generate --feature sql/lock,sql/modifier ./ent/schema

// leastRounds are the fewest for a meaningful interval.
const leastRounds = 7

const (
	bareName    = "pgx, bare"
	againName   = "pgx, again"
	drizzleName = "Drizzle"
)

var entries = []entry{
	{floorName, "the statements that authdb sends, by hand: the floor", openFloor},
	{ourName, "this library, on a pool", openAuthdb},
	{bareName, "the least that gives the same rows: no snapshot, no locks", openBare},
	{"sqlc", "generated queries one after the other, a transaction if several write", openSqlc},
	{"database/sql", "the same by hand, on pgx's driver", openSQL},
	{"GORM", "Preload and Joins, with PrepareStmt and SkipDefaultTransaction", openGORM},
	{"ent", "eager loading by With, on database/sql and pgx", openEnt},
	{"bun", "Relation, on its own driver", openBun},
	{drizzleName, "queries by select and db.query, a transaction if several write", openDrizzle("plain")},
	{"Drizzle, prepared", "the reads by .prepare()", openDrizzle("prepared")},
	{againName, "the floor a second time: what differs from 1 is noise", openFloor},
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	quick := flag.Bool("quick", false, "two minutes: as many rounds as fit, no TCP, 1,000 rows at once")
	docs := flag.String("docs", "", "write benchmarks.md and its charts to this `directory`")
	only := flag.String("only", "", "workloads that match this `pattern`")
	with := flag.String("with", "", "contenders that match this `pattern`, and the floor")
	rounds := flag.Int("rounds", 25, "rounds, at most")
	users := flag.Int("users", 200_000, "users")
	crowd := flag.Bool("crowd", false, "only what many callers and new connections meet, in a minute")
	sessions := flag.Int("sessions", 400_000, "sessions, among which those that are due are purged")
	organizations := flag.Int("organizations", 20_000, "organizations")
	flag.Parse()

	b := &bench{
		began: time.Now(), number: *rounds, slice: 40 * time.Millisecond,
		pools: map[*workload][]*input{}, cells: map[key]*cell{},
	}
	bulk := 10_000
	if *quick {
		b.patience, b.slice, bulk = 105*time.Second, 6*time.Millisecond, 1000
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	invited, err := regexp.Compile(*with)
	if err != nil {
		return err
	}
	all := workloads(bulk, *sessions)
	b.wake = all[slices.IndexFunc(all, func(w *workload) bool { return w.op == "userByID" })]
	b.workloads = slices.DeleteFunc(all, func(w *workload) bool { return !wanted.MatchString(w.name) })
	if *quick {
		for _, w := range b.workloads {
			w.n = quickened(w)
		}
	}
	b.entries = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool {
		return !invited.MatchString(e.name) && e.name != floorName
	})
	if err := b.seekDrizzle(ctx); err != nil {
		return err
	}
	if b.server, err = startServer(ctx, *users, *sessions, *organizations); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(context.WithoutCancel(ctx))) }()
	if *crowd {
		text, err := b.crowd(ctx)
		fmt.Print(text)
		return err
	}
	if err := b.measure(ctx, *quick); err != nil {
		return err
	}
	b.print(os.Stdout)
	fmt.Printf("\n%d rounds in %.0f s\n", b.number, time.Since(b.began).Seconds())
	if err := b.again(os.Stdout); err != nil || *docs == "" {
		return err
	}
	text, err := b.crowd(ctx)
	if err != nil {
		return err
	}
	return b.write(*docs, text)
}

// seekDrizzle leaves out the contenders that need a Node where there is none.
func (b *bench) seekDrizzle(ctx context.Context) error {
	err := installDrizzle(ctx)
	if errors.Is(err, errNoNode) {
		say("%v: without Drizzle", err)
		b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return strings.HasPrefix(e.name, drizzleName) })
		return nil
	}
	return err
}

// quickened is how many operations a phase has where it writes and time is short.
func quickened(w *workload) int {
	if w.writes() {
		return (w.n + 4) / 5
	}
	return w.n
}

func (b *bench) measure(ctx context.Context, quick bool) (err error) {
	if b.socket.Host != "" {
		b.networks = append(b.networks, network{name: "socket", at: b.socket})
	}
	if b.tcp.Host != "" && (!quick || b.socket.Host == "") {
		b.networks = append(b.networks, network{name: "TCP", at: b.tcp})
	}
	near := b.networks[0]
	b.networks = append(b.networks, network{name: "+1 ms", at: near.at, delay: time.Millisecond, proxied: true})
	if b.recorded, err = record(ctx, b, near.at); err != nil {
		return err
	}
	seats := map[string][]*seat{}
	for _, n := range b.networks {
		s, err := b.sit(ctx, n)
		defer stand(s)
		if err != nil {
			return err
		}
		seats[n.name] = s
	}
	say("comparing what all return")
	if err := b.compare(ctx, seats[near.name]); err != nil {
		return err
	}
	for _, n := range b.networks {
		say("warming up on %s", n.name)
		if err := b.warm(ctx, n, seats[n.name]); err != nil {
			return err
		}
	}
	for i := 0; i < b.number; i++ {
		began := time.Now()
		for _, n := range b.networks {
			if err := b.round(ctx, n, seats[n.name]); err != nil {
				return err
			}
		}
		say("round %d/%d: %.1f s", i+1, b.number, time.Since(began).Seconds())
		if took := time.Since(b.began); b.patience > 0 && took+time.Since(began) > b.patience && i+1 >= leastRounds {
			b.number = i + 1
		}
	}
	return nil
}
