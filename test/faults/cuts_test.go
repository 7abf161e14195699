package faults_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
)

// flavor is what is said about doing something once.
type flavor int

const (
	withOnce flavor = iota // a store made WithOnce
	onceKey                // a context made by Once
	plain                  // nothing
	naive                  // nothing, and whoever gets an error calls again: the control
	flavors
)

func (f flavor) String() string { return [...]string{"WithOnce", "Once", "plain", "control"}[f] }

func (f flavor) once() bool { return f == withOnce || f == onceKey }

// kind is a sort of cut, of the first connection and perhaps of a second one.
type kind struct {
	name  string
	first cut
	then  []cut // at the same message
}

var kinds = []kind{
	{name: "request lost, FIN", first: cut{side: request, how: fin}},
	{name: "request lost, FIN within a message", first: cut{side: request, how: fin, inside: true}},
	{name: "request lost, RST", first: cut{side: request, how: rst}},
	{name: "request lost in silence", first: cut{side: request, how: silent}},
	{name: "request late", first: cut{side: request, how: late}},
	{name: "request late from within a message", first: cut{side: request, how: late, inside: true}},
	{name: "request late, twice", first: cut{side: request, how: late}, then: []cut{{side: request, how: late}}},
	{name: "request late, then an answer lost", first: cut{side: request, how: late}, then: []cut{{side: answer, how: fin}}},
	{name: "held by the server", first: cut{side: answer, how: held}},
	{name: "answer lost, FIN", first: cut{side: answer, how: fin}},
	{name: "answer lost, FIN within a message", first: cut{side: answer, how: fin, inside: true}},
	{name: "answer lost, RST", first: cut{side: answer, how: rst}},
	{name: "answer lost in silence", first: cut{side: answer, how: silent}},
	{name: "answer lost, twice", first: cut{side: answer, how: fin}, then: []cut{{side: answer, how: fin}}},
	{name: "answer lost, then a request", first: cut{side: answer, how: rst}, then: []cut{{side: request, how: fin}}},
}

// places is at how many messages, or gates, a kind can cut what sends so many.
func (k kind) places(messages [2]int) int {
	if k.first.how == held {
		return gates
	}
	return messages[k.first.side]
}

func (k kind) plan(at int) []cut {
	plan := append([]cut{k.first}, k.then...)
	for i := range plan {
		plan[i].at = at
	}
	return plan
}

// cell is one cut.
type cell struct {
	name string // of the write
	way
	flavor flavor
	kind   kind
	at     int
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %s, %s, %s %d", c.name, c.way, c.flavor, c.kind.name, c.at)
}

func (c cell) hash() uint32 {
	sum := sha256.Sum256([]byte(c.String()))
	return binary.BigEndian.Uint32(sum[:])
}

// reference is what a write does when nothing is cut.
type reference struct {
	none, once state
	result     string
}

// ways are all that lead to the database. describe_exec asks for a description first and uses it in a round trip of its
// own, between which PgBouncer may change the server; named statements PgBouncer knows from 1.21 on.
func ways(b *bouncer) (all []way) {
	direct := []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
	for _, mode := range direct {
		all = append(all, way{false, mode})
	}
	if b == nil {
		return all
	}
	for _, mode := range direct {
		if mode != pgx.QueryExecModeDescribeExec && (mode != pgx.QueryExecModeCacheStatement || b.prepares) {
			all = append(all, way{true, mode})
		}
	}
	return all
}

// harness is what the workers share.
type harness struct {
	size       size
	bouncer    *bouncer
	worlds     []*world
	references map[string]reference // by write
	tally      *tally

	mu       sync.Mutex
	messages map[string][2]int // that either side sends, by write, mode and whether it is done once
	overruns int
}

// limit is the ceiling of one call. Once that was met a few times the test has failed, and need not take for ever.
func (h *harness) limit() time.Duration {
	const few = 2
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.overruns >= few {
		return ceiling / 200
	}
	return ceiling
}

func (h *harness) overrun() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.overruns++
}

// TestCuts cuts every write on every way to the database, in every manner, and holds what is reported against what the
// database holds. A loop that calls again until it succeeds is the control: it must do harm.
func TestCuts(t *testing.T) {
	t.Parallel()
	h := &harness{size: sizeOf(t), references: map[string]reference{}, messages: map[string][2]int{}}
	direct := newWorld(t, nil)
	for name := range writes {
		h.references[name] = refer(t, direct, name)
	}
	if t.Failed() {
		return
	}
	h.bouncer = startBouncer(t, direct.config.ConnString(), pooling{})
	for range h.size.workers {
		w := newWorld(t, h.bouncer)
		defer w.close()
		h.worlds = append(h.worlds, w)
	}
	t.Run("once", func(t *testing.T) { h.cutWith(t, withOnce, onceKey, naive) })
	t.Run("without", func(t *testing.T) { h.cutWith(t, plain, naive) })
}

// cutWith cuts stores of some flavors, and prints the figures.
func (h *harness) cutWith(t *testing.T, flavors ...flavor) {
	began := time.Now()
	h.tally = newTally()
	type job struct {
		name string
		way  way
	}
	jobs := make(chan job)
	var done sync.WaitGroup
	for _, w := range h.worlds {
		done.Go(func() {
			for j := range jobs {
				for _, f := range flavors {
					if err := h.cutAll(t.Context(), w, cell{name: j.name, way: j.way, flavor: f}); err != nil {
						t.Errorf("%s, %s, %s: %v", j.name, j.way, f, err)
					}
				}
			}
		})
	}
	all := ways(h.bouncer)
	for i, name := range slices.Sorted(maps.Keys(writes)) {
		for n := range min(h.size.ways, len(all)) {
			jobs <- job{name, all[(i+n)%len(all)]}
		}
	}
	close(jobs)
	done.Wait()

	if h.bouncer != nil {
		t.Logf("PgBouncer %s", h.bouncer.version)
	}
	h.tally.report(t)
	t.Logf("%d cuts in %s", h.tally.sum(cuts), time.Since(began).Round(time.Second))
	sum := h.tally.sum
	record(t, fmt.Sprintf("cuts of %d writes, %d ways to the server, %d kinds", len(writes), len(all), len(kinds)), sum(cuts))
	record(t, "reported as done", sum(success))
	record(t, "reported as not done", sum(refused)+sum(ended))
	record(t, "left to Resolve, which told", sum(resolved))
	record(t, "left to Resolve, which said why it does not know", sum(unknown))
	record(t, "second calls under the same key", sum(repeatedRun))
	record(t, "half done", sum(half))
	record(t, "done twice", sum(twice)+sum(badRepeat))
	record(t, "done after it was said not to be", sum(tardy))
	record(t, "false verdicts, or none where there must be one", sum(lost)+sum(wrong)+sum(unresolved)+sum(mute)+sum(unmarked))
	record(t, "control, which calls again: done twice, refused though done, done late",
		fmt.Sprint(sum(naiveTwice), sum(naiveRefused), sum(naiveTardy)))
	harm := []int{h.tally.sum(naiveTwice), h.tally.sum(naiveRefused), h.tally.sum(naiveTardy)}
	if least := slices.Min(harm); slices.Max(harm) == 0 || least == 0 && h.size.ways > 1 {
		t.Error("the control does no harm: the cuts are in the wrong places")
	}
}

// refer finds out what a write does, and that it does the same each time.
func refer(t *testing.T, w *world, name string) (ref reference) {
	t.Helper()
	ctx := t.Context()
	for range 2 {
		if err := w.reset(ctx); err != nil {
			t.Fatal(err)
		}
		none, err := w.look(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.cleanStore(ctx, way{mode: pgx.QueryExecModeCacheStatement})
		if err != nil {
			t.Fatal(err)
		}
		w.dirty = true
		result, err := writes[name].run(ctx, s)
		if err != nil && (writes[name].refusal == nil || !errors.Is(err, writes[name].refusal)) {
			t.Fatalf("%s: %v", name, err)
		}
		once, err := w.look(ctx)
		if err != nil {
			t.Fatal(err)
		}
		was := ref
		ref = reference{none, once, unmade(show(result))}
		if none.sameRows(once) {
			t.Errorf("%s is not a write: it changes nothing", name)
		}
		if was.result != "" && was != ref {
			t.Errorf("%s does not do the same twice: %s%s\n%s\n%s", name, was.none.diff(ref.none), was.once.diff(ref.once), was.result, ref.result)
		}
	}
	return ref
}

// cutAll makes as many cuts of a write on a way as the size wants, spread over all kinds and messages.
func (h *harness) cutAll(ctx context.Context, w *world, c cell) error {
	most := h.size.cuts[c.flavor]
	if most < 0 { // of one in some
		if most = 1; c.hash()%uint32(-h.size.cuts[c.flavor]) > 0 {
			return nil
		}
	}
	messages, err := h.count(ctx, w, c)
	if err != nil {
		return err
	}
	var cells []cell
	for _, c.kind = range kinds {
		for c.at = range c.kind.places(messages) {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.hash(), b.hash()) })
	for _, c := range cells {
		if most == 0 {
			break
		}
		if c.at >= c.kind.places(messages) {
			continue
		}
		r, err := h.cutOne(ctx, w, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		if r.wasCut() {
			most--
		} else { // there are less than was guessed
			messages = r.counted()
		}
	}
	return nil
}

// count returns how many messages either side sends in a write, or a guess.
func (h *harness) count(ctx context.Context, w *world, c cell) (messages [2]int, err error) {
	if h.size.guess > 0 {
		return [2]int{h.size.guess, h.size.guess}, nil
	}
	key := fmt.Sprint(c.name, c.mode, c.flavor.once())
	h.mu.Lock()
	messages, ok := h.messages[key]
	h.mu.Unlock()
	if ok {
		return messages, nil
	}
	messages, err = h.measure(ctx, w, c)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages[key] = messages
	return messages, err
}

// measure runs a write without a cut, and returns how many messages either side sends.
func (h *harness) measure(ctx context.Context, w *world, c cell) (messages [2]int, err error) {
	a, err := h.begin(ctx, w, c)
	if err != nil {
		return messages, err
	}
	result, err := writes[c.name].run(a.ctx, a.store)
	messages = a.run.counted()
	if err := a.finish(ctx); err != nil {
		return messages, err
	}
	got, lookErr := w.look(ctx)
	ref := h.references[c.name]
	switch {
	case lookErr != nil:
		return messages, lookErr
	case err != nil && !a.isRefusal(err):
		return messages, fmt.Errorf("without a cut: %w", err)
	case !got.sameRows(ref.once) || unmade(show(result)) != ref.result:
		return messages, fmt.Errorf("without a cut: %s\nand it returned %s", ref.once.diff(got), show(result))
	}
	return messages, nil
}

// attempt is one call of a write on a store of its own, whose connection can be cut.
type attempt struct {
	cell
	write
	h     *harness
	w     *world
	run   *run
	store *authdb.Store
	clean *authdb.Store
	ctx   context.Context
	stop  context.CancelFunc
	key   string
}

// begin connects, and arms the plan.
func (h *harness) begin(ctx context.Context, w *world, c cell, plan ...cut) (*attempt, error) {
	if err := w.reset(ctx); err != nil {
		return nil, err
	}
	clean, err := w.cleanStore(ctx, c.way)
	if err != nil {
		return nil, err
	}
	p := w.proxies[c.bounced]
	// A network that is cut may let the request through by which pgx cancels what it has lost, or not.
	cancels := c.hash()%4 == 0
	a := &attempt{cell: c, write: writes[c.name], h: h, w: w, run: p.begin(cancels, plan...), clean: clean, key: made()}
	var opts []authdb.Option
	if c.flavor == withOnce {
		opts = append(opts, authdb.WithOnce())
	}
	if a.store, err = w.open(ctx, c.way, p.port(), "cut", opts...); err != nil {
		return nil, err
	}
	a.ctx, a.stop = context.WithTimeout(ctx, h.limit())
	a.ctx = a.keyed(a.ctx)
	a.run.arm()
	w.dirty = true
	if len(plan) > 0 && plan[0].how == held {
		err = w.holdAt(ctx, c.at, a.run)
	}
	return a, err
}

func (a *attempt) keyed(ctx context.Context) context.Context {
	if a.flavor == onceKey {
		return authdb.Once(ctx, a.key)
	}
	return ctx
}

// finish ends the connections, and waits until nothing more can come of them.
func (a *attempt) finish(ctx context.Context) error {
	a.stop()
	a.run.recover()
	a.store.Close()
	ctx, cancel := context.WithTimeout(ctx, ceiling)
	defer cancel()
	return a.w.settle(ctx, a.run, a.bounced)
}

func (a *attempt) isRefusal(err error) bool { return a.refusal != nil && errors.Is(err, a.refusal) }

func (a *attempt) isLate() bool { return a.kind.first.how == late || a.kind.first.how == held }

// cutOne makes one cut.
func (h *harness) cutOne(ctx context.Context, w *world, c cell) (*run, error) {
	a, err := h.begin(ctx, w, c, c.kind.plan(c.at)...)
	if err != nil {
		return nil, err
	}
	unblock := func() {}
	if a.isLate() {
		unblock = w.unblock(ctx, a.run)
	}
	if c.kind.first.how == silent {
		go func() {
			select {
			case <-a.run.fired:
				a.stop()
			case <-a.ctx.Done():
			}
		}()
	}
	result, err := a.write.run(a.ctx, a.store)
	overrun := errors.Is(a.ctx.Err(), context.DeadlineExceeded)
	if a.run.wasCut() {
		h.tally.add(c, cuts)
	}
	switch {
	case overrun:
		h.overrun()
		h.tally.fault(c, unresolved, "it did not end: %v", err)
		unblock()
		err = a.finish(ctx)
	case c.flavor == naive:
		err = h.callAgain(ctx, a, err, unblock)
	default:
		err = h.judge(ctx, a, result, err, unblock)
	}
	return a.run, err
}

// callAgain is the control.
func (h *harness) callAgain(ctx context.Context, a *attempt, err error, unblock func()) error {
	a.run.recover()
	const most = 3
	for n := 0; err != nil && !a.isRefusal(err) && n < most; n++ {
		_, err = a.write.run(ctx, a.clean)
	}
	failed := err != nil && !a.isRefusal(err)
	if !a.isLate() || a.run.isDelivered() {
		unblock()
		if err := a.finish(ctx); err != nil {
			return err
		}
		got, err := a.w.look(ctx)
		if err != nil {
			return err
		}
		ref := h.references[a.name]
		switch {
		case failed && got.changed > 0:
			h.tally.add(a.cell, naiveRefused)
		case got.changed > ref.once.changed:
			h.tally.add(a.cell, naiveTwice)
		}
		return nil
	}
	before, after, err := h.rival(ctx, a, unblock)
	if err == nil && before != after {
		h.tally.add(a.cell, naiveTardy)
	}
	return err
}

// rival lets somebody act after the method has returned, and delivers then what was late. It returns what the database
// held before and after that; of both, rows that a rival had to wait for are not told.
func (h *harness) rival(ctx context.Context, a *attempt, unblock func()) (before, after state, err error) {
	first, err := a.w.look(ctx)
	if err != nil {
		return before, after, err
	}
	if a.hash()%3 > 0 { // else the rival does nothing
		err = a.w.revert(ctx)
	}
	held := !a.run.isDelivered()
	unblock()
	if err != nil {
		return before, after, err
	}
	if before, err = a.w.look(ctx); err != nil {
		return before, after, err
	}
	if !held { // the rival waited until the late one was done
		before = first
	}
	if err := a.finish(ctx); err != nil {
		return before, after, err
	}
	after, err = a.w.look(ctx)
	if !held {
		before.rows, after.rows = "", ""
	}
	return before, after, err
}

// judge holds what was reported against what is so.
func (h *harness) judge(ctx context.Context, a *attempt, result any, err error, unblock func()) error {
	reported := authdb.OutcomeApplied
	wasUnknown := false
	if err != nil && !a.isRefusal(err) {
		e, ok := errors.AsType[*authdb.Error](err)
		if !ok {
			h.tally.fault(a.cell, wrong, "%v is a %T", err, err)
			unblock()
			return a.finish(ctx)
		}
		reported = e.Outcome
		wasUnknown = reported == authdb.OutcomeUnknown
		if wasUnknown != errors.Is(err, authdb.ErrCommitUnknown) {
			h.tally.fault(a.cell, wrong, "%v says %v", err, reported)
		}
	}
	if wasUnknown {
		reported = h.resolve(ctx, a, err)
	}
	a.count(reported, wasUnknown)

	// What is late without once may be applied, as was said.
	asked := a.isLate() && a.flavor.once() && !a.run.isDelivered()
	if !asked {
		unblock()
		if err := a.finish(ctx); err != nil {
			return err
		}
	}
	got, lookErr := a.w.look(ctx)
	if lookErr != nil {
		return lookErr
	}
	ref := h.references[a.name]
	truth := authdb.OutcomeUnknown
	switch {
	case got.sameRows(ref.none):
		truth = authdb.OutcomeNotApplied
	case got.sameRows(ref.once):
		truth = authdb.OutcomeApplied
	case got.changed > ref.once.changed:
		h.tally.fault(a.cell, twice, "%v (%v)%s", reported, err, ref.none.diff(got))
	default:
		h.tally.fault(a.cell, half, "%v (%v)%s", reported, err, ref.none.diff(got))
	}
	if reported != authdb.OutcomeUnknown && truth != authdb.OutcomeUnknown && reported != truth {
		h.tally.fault(a.cell, wrong, "%v (%v), but it is %v", reported, err, truth)
	}
	if err == nil && unmade(show(result)) != ref.result {
		h.tally.fault(a.cell, wrong, "it returned\n%s, not\n%s", unmade(show(result)), ref.result)
	}
	a.countMarks(got.marks, truth)
	if truth == authdb.OutcomeNotApplied && got.marks == 0 && !asked {
		a.w.dirty = false
	}

	if asked {
		before, after, err := h.rival(ctx, a, unblock)
		if err != nil {
			return err
		}
		if before != after {
			h.tally.fault(a.cell, tardy, "it did%s", before.diff(after))
		}
	}
	if a.flavor == onceKey {
		return h.repeat(ctx, a, result, err, truth, asked)
	}
	return nil
}

// resolve asks what became of a write.
func (h *harness) resolve(ctx context.Context, a *attempt, err error) authdb.Outcome {
	limit := h.limit()
	if a.isLate() && !a.flavor.once() {
		limit = 25 * pause // it may wait for what is late, which will not come before
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A silence may end only while Resolve waits for it.
	time.AfterFunc(pause, a.run.recover)
	outcome, resolveErr := a.clean.Resolve(ctx, err)
	switch {
	case outcome != authdb.OutcomeUnknown && resolveErr != nil:
		h.tally.fault(a.cell, wrong, "Resolve says %v and %v", outcome, resolveErr)
	case outcome == authdb.OutcomeUnknown && a.flavor.once():
		if ctx.Err() != nil {
			h.overrun()
		}
		h.tally.fault(a.cell, unresolved, "%v: %v", err, resolveErr)
	case outcome == authdb.OutcomeUnknown && resolveErr == nil:
		h.tally.fault(a.cell, mute, "%v", err)
	}
	return outcome
}

func (a *attempt) count(reported authdb.Outcome, wasUnknown bool) {
	f := success
	switch {
	case reported == authdb.OutcomeUnknown:
		f = unknown
	case wasUnknown:
		f = resolved
	case reported == authdb.OutcomeNotApplied && a.kind.first.how == silent:
		f = ended
	case reported == authdb.OutcomeNotApplied:
		f = refused
	}
	a.h.tally.add(a.cell, f)
	if a.isLate() && a.run.isDelivered() {
		a.h.tally.add(a.cell, heldUp)
	}
}

// countMarks wants one mark of a write that was done once, and at most one of another.
func (a *attempt) countMarks(marks int, truth authdb.Outcome) {
	least, most := 0, 0
	if a.flavor.once() {
		most = 1
		if truth == authdb.OutcomeApplied {
			least = 1
		}
	}
	if marks < least || marks > most {
		a.h.tally.fault(a.cell, unmarked, "%d marks", marks)
	}
}

// repeat calls the method again under the same key, on a store that nothing cuts. What was done is not done again. What
// was not may be done now, or never.
func (h *harness) repeat(ctx context.Context, a *attempt, first any, firstErr error, truth authdb.Outcome, reverted bool) error {
	h.tally.add(a.cell, repeatedRun)
	ref := h.references[a.name]
	before, err := a.w.look(ctx)
	if err != nil {
		return err
	}
	a.w.dirty = true
	ctx, cancel := context.WithTimeout(ctx, ceiling)
	defer cancel()
	result, err := a.write.run(authdb.Once(ctx, a.key), a.clean)
	after, lookErr := a.w.look(ctx)
	if lookErr != nil {
		return lookErr
	}
	bad := func(format string, args ...any) {
		h.tally.fault(a.cell, badRepeat, "%s (first %v, %v)", fmt.Sprintf(format, args...), truth, firstErr)
	}
	if truth == authdb.OutcomeNotApplied {
		switch {
		case (err == nil || a.isRefusal(err)) && after.sameRows(ref.once):
		case err != nil && after.sameRows(before):
		case reverted:
		default:
			bad("%v, and it did%s", err, before.diff(after))
		}
		return nil
	}
	if !after.sameRows(before) {
		bad("%v, and it did%s", err, before.diff(after))
		return nil
	}
	switch {
	case reverted: // there may be nothing left to answer with
	case a.again == alreadyDone && !errors.Is(err, authdb.ErrAlreadyDone):
		bad("%v, not ErrAlreadyDone", err)
	case a.again == sameRefusal && !a.isRefusal(err) && !errors.Is(err, authdb.ErrAlreadyDone):
		bad("%v, neither %v nor ErrAlreadyDone", err, a.refusal)
	case a.again == noError && err != nil:
		bad("%v, not nil", err)
	case a.again == sameResult && err != nil:
		bad("%v, and no result", err)
	case a.again == sameResult && firstErr == nil && show(result) != show(first):
		bad("%s, but at first\n%s", show(result), show(first))
	case a.again == sameResult && unmade(show(result)) != ref.result:
		bad("%s, not\n%s", unmade(show(result)), ref.result)
	}
	return nil
}
