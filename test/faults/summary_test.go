package faults_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// entry is a line of the table at the end.
type entry struct{ part, figure, value string }

var entries struct {
	sync.Mutex
	all []entry
}

// record puts a figure of a test into the table.
func record(t *testing.T, figure string, value any) {
	t.Helper()
	entries.Lock()
	defer entries.Unlock()
	entries.all = append(entries.all, entry{strings.TrimPrefix(t.Name(), "Test"), figure, fmt.Sprint(value)})
}

// TestMain prints the figures of all parts.
func TestMain(m *testing.M) {
	code := m.Run()
	slices.SortStableFunc(entries.all, func(a, b entry) int { return cmp.Compare(a.part, b.part) })
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	last := ""
	for _, e := range entries.all {
		part := e.part
		if part == last {
			part = ""
		}
		last = e.part
		fmt.Fprintf(w, "%s\t%s\t%s\n", part, e.figure, e.value)
	}
	_ = w.Flush()
	os.Exit(code)
}
