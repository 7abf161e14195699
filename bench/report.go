package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// ratios are the estimates of all contenders towards the floor of the same round.
func (b *bench) ratios(w *workload, n network) map[string]estimate {
	floor := b.cells[key{w.name, n.name, floorName}]
	all := map[string]estimate{}
	for _, e := range b.entries {
		c := b.cells[key{w.name, n.name, e.name}]
		if c == nil || len(c.quiet) == 0 {
			continue
		}
		ratios := make([]float64, len(c.quiet))
		for i := range ratios {
			ratios[i] = c.quiet[i] / floor.quiet[i]
		}
		all[e.name] = estimateOf(ratios)
	}
	return all
}

// report prints a table for each network: the ratio to the floor, and the place.
func (b *bench) report(out io.Writer) {
	for _, n := range b.networks {
		fmt.Fprintf(out, "\n%s: ratio to the floor, (place)\n", n.name)
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprint(t, "workload\tfloor, µs")
		for _, e := range b.entries[1:] {
			fmt.Fprintf(t, "\t%s", e.name)
		}
		for _, w := range b.workloads {
			all := b.ratios(w, n)
			places := ranks(all)
			fmt.Fprintf(t, "\n%s\t%.0f (%d)", w.name, quartile(b.cells[key{w.name, n.name, floorName}].quiet), places[floorName])
			for _, e := range b.entries[1:] {
				if r, ok := all[e.name]; ok {
					fmt.Fprintf(t, "\t%.2f (%d)", r.Median, places[e.name])
				} else {
					fmt.Fprint(t, "\t-")
				}
			}
		}
		fmt.Fprintln(t)
		t.Flush()
	}
}

func (b *bench) write(dir string) error { return nil }
