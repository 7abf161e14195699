package faults_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// figure is one thing that is counted.
type figure int

const (
	cuts         figure = iota
	success             // reported as done
	refused             // reported as not done, though ctx was not over
	ended               // reported as not done, with ctx over
	resolved            // left to Resolve, which told
	unknown             // left to Resolve, which told that it does not know, and why
	heldUp              // a late one was delivered before the end, because somebody waited for it
	repeatedRun         // second calls under the same key
	lost                // reported as done, and not there
	wrong               // what was reported, or returned, is not so
	half                // neither done nor not done
	twice               // more was changed than once
	tardy               // what was delivered late changed something
	unresolved          // Resolve did not tell, though it must
	mute                // Resolve did not tell, nor why
	unmarked            // there is not one mark for each write
	badRepeat           // a second call under the same key changed something, or did not answer as it must
	naiveTwice          // of the control: done twice
	naiveRefused        // of the control: refused, though it was done
	naiveTardy          // of the control: what was delivered late changed something
	figures
)

var figureNames = [figures]string{
	"cuts", "success", "refused", "ended", "resolved", "unknown", "held up", "repeated", "lost", "wrong", "half", "twice", "late",
	"unresolved", "mute", "unmarked", "bad repeat", "c:twice", "c:refused", "c:late",
}

// mustBeZero are the figures that are faults.
var mustBeZero = []figure{lost, wrong, half, twice, tardy, unresolved, mute, unmarked, badRepeat}

// line is a line of the table.
type line struct {
	transport, mode string
	flavor          flavor
}

// tally counts.
type tally struct {
	mu       sync.Mutex
	lines    map[line]*[figures]int
	kinds    map[string]int
	examples map[string][]string // of faults, the first of each sort
	faults   map[string]int
}

func newTally() *tally {
	return &tally{
		lines: map[line]*[figures]int{}, kinds: map[string]int{}, examples: map[string][]string{}, faults: map[string]int{},
	}
}

func (n *tally) add(c cell, f figure) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := line{c.transport(), modeName(c.mode), c.flavor}
	if n.lines[at] == nil {
		n.lines[at] = &[figures]int{}
	}
	n.lines[at][f]++
	if f == cuts {
		n.kinds[c.kind.name]++
	}
}

// fault counts something that must not be.
func (n *tally) fault(c cell, f figure, format string, args ...any) {
	n.add(c, f)
	n.mu.Lock()
	defer n.mu.Unlock()
	const most = 5
	sort := fmt.Sprintf("%s, %s", c.flavor, figureNames[f])
	n.faults[sort]++
	if len(n.examples[sort]) < most {
		n.examples[sort] = append(n.examples[sort], fmt.Sprintf("%s: %s", c, fmt.Sprintf(format, args...)))
	}
}

func (n *tally) sum(f figure) (sum int) {
	for _, line := range n.lines {
		sum += line[f]
	}
	return sum
}

// report prints the table, and fails the test for each sort of fault.
func (n *tally) report(t *testing.T) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	used := []figure{}
	for f := range figures {
		if f == cuts || n.sum(f) > 0 || slices.Contains(mustBeZero, f) {
			used = append(used, f)
		}
	}
	fmt.Fprint(w, "\ntransport\tmode\tstore\t")
	for _, f := range used {
		fmt.Fprint(w, figureNames[f], "\t")
	}
	sorted := slices.SortedFunc(maps.Keys(n.lines), func(a, b line) int {
		return strings.Compare(fmt.Sprint(a.flavor, a.transport, a.mode), fmt.Sprint(b.flavor, b.transport, b.mode))
	})
	for _, at := range sorted {
		fmt.Fprintf(w, "\n%s\t%s\t%s\t", at.transport, at.mode, at.flavor)
		for _, f := range used {
			fmt.Fprint(w, n.lines[at][f], "\t")
		}
	}
	fmt.Fprint(w, "\n\t\ttogether\t")
	for _, f := range used {
		fmt.Fprint(w, n.sum(f), "\t")
	}
	_ = w.Flush()
	b.WriteString("\n")
	for _, kind := range slices.Sorted(maps.Keys(n.kinds)) {
		fmt.Fprintf(&b, "\n%6d %s", n.kinds[kind], kind)
	}
	t.Log(b.String())
	for _, sort := range slices.Sorted(maps.Keys(n.faults)) {
		t.Errorf("%s: %d, such as\n\t%s", sort, n.faults[sort], strings.Join(n.examples[sort], "\n\t"))
	}
}
