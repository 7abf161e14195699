package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

//go:embed preface.md
var preface string

// rounds are the times of all contenders, and ratios the estimates towards the floor of the same round.
func (b *bench) rounds(w *workload, n network) map[string][]float64 {
	all := map[string][]float64{}
	for _, e := range b.entries {
		if c := b.cells[key{w.name, n.name, e.name}]; c != nil && len(c.quiet) > 0 {
			all[e.name] = c.quiet
		}
	}
	return all
}

func (b *bench) ratios(w *workload, n network) map[string]estimate {
	rounds := b.rounds(w, n)
	all := map[string]estimate{}
	for name, times := range rounds {
		all[name] = over(times, rounds[floorName])
	}
	return all
}

// places ranks all but the control.
func (b *bench) places(w *workload, n network) map[string]int {
	rounds := b.rounds(w, n)
	delete(rounds, againName)
	return ranks(rounds)
}

// print prints a table for each network: the ratio to the floor, and the place.
func (b *bench) print(out io.Writer) {
	b.table(out, "round trips, allocations", func(w *workload) func(entry) string {
		return func(e entry) string {
			c, last := b.cells[key{w.name, b.networks[0].name, e.name}], b.cells[key{w.name, b.last().name, e.name}]
			switch {
			case c == nil || last == nil:
				return "-"
			case c.allocs < 0:
				return fmt.Sprintf("%.0f", last.trips)
			}
			return fmt.Sprintf("%.0f, %.0f", last.trips, c.allocs)
		}
	})
	for _, n := range b.networks {
		title := n.name + ": time, as a ratio to the floor, and (place); of the floor, µs"
		b.table(out, title, func(w *workload) func(entry) string {
			all := b.ratios(w, n)
			place := b.places(w, n)
			return func(e entry) string {
				r, ok := all[e.name]
				switch {
				case !ok:
					return "-"
				case e.name == floorName:
					return fmt.Sprintf("%.0f (%d)", quartile(b.cells[key{w.name, n.name, e.name}].quiet), place[e.name])
				case e.name == againName:
					return fmt.Sprintf("%.2f", r.Median)
				}
				return fmt.Sprintf("%.2f (%d)", r.Median, place[e.name])
			}
		})
	}
}

// last is the network whose proxy counts.
func (b *bench) last() network { return b.networks[len(b.networks)-1] }

func (b *bench) table(out io.Writer, title string, row func(*workload) func(entry) string) {
	fmt.Fprintf(out, "\n%s\n", title)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\t")
	for _, e := range b.entries {
		fmt.Fprintf(t, "%s\t", e.name)
	}
	for _, w := range b.workloads {
		fmt.Fprintf(t, "\n%s\t", w.name)
		cell := row(w)
		for _, e := range b.entries {
			fmt.Fprintf(t, "%s\t", cell(e))
		}
	}
	fmt.Fprintln(t)
	_ = t.Flush()
}

// again compares this run's order with the last one's, and keeps it for the next one. A pair is decided if one is
// clearly behind the other; two runs contradict each other if both decide, and differ.
func (b *bench) again(out io.Writer) error {
	dir, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "authdb-bench-order.json")
	var before map[string][]string // of each table, who is behind whom
	if text, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(text, &before) // an unreadable file counts as no run
	}
	order := maps.Clone(before)
	if order == nil {
		order = map[string][]string{}
	}
	var alike int
	var against []string
	for _, n := range b.networks {
		for _, w := range b.workloads {
			title := w.name + ", " + n.name
			rounds := b.rounds(w, n)
			delete(rounds, againName)
			delete(order, title)
			for x, a := range rounds {
				for y, other := range rounds {
					if !behind(a, other) {
						continue
					}
					order[title] = append(order[title], x+" behind "+y)
					if slices.Contains(before[title], x+" behind "+y) {
						alike++
					}
					if slices.Contains(before[title], y+" behind "+x) {
						against = append(against, title+": "+x+" behind "+y+", and before the other way round")
					}
				}
			}
		}
	}
	if len(before) > 0 {
		fmt.Fprintf(out, "\norder, against the last run: %d pairs decided alike, %d otherwise\n", alike, len(against))
		slices.Sort(against)
		for _, line := range against {
			fmt.Fprintln(out, "  "+line)
		}
	}
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// noise is how far the floor is from itself, over all workloads: the median of the distances, and the greatest.
func (b *bench) noise(n network) (usual, most float64) {
	var all []float64
	for _, w := range b.workloads {
		if r, ok := b.ratios(w, n)[againName]; ok {
			all = append(all, max(r.Median, 1/r.Median))
		}
	}
	if len(all) == 0 {
		return 1, 1
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

// write writes benchmarks.md and a chart for each workload.
func (b *bench) write(dir, crowd string) error {
	charts := filepath.Join(dir, "benchmarks")
	if err := os.RemoveAll(charts); err != nil {
		return err
	}
	if err := os.MkdirAll(charts, 0o755); err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString(strings.NewReplacer("{rounds}", strconv.Itoa(b.number), "{machine}", b.machine()).Replace(preface))
	for _, e := range b.entries {
		if e.name != againName {
			fmt.Fprintf(&text, "- **%s**: %s.\n", e.name, e.about)
		}
	}
	fmt.Fprint(&text, "\nThe floor beside itself, on other connections, shows the noise:")
	for i, n := range b.networks {
		usual, most := b.noise(n)
		fmt.Fprintf(&text, "%s %s off by %.0f %% usually and by %.0f %% at most", []string{"", ";"}[min(i, 1)], n.name,
			100*(usual-1), 100*(most-1))
	}
	text.WriteString(".\n")
	for _, w := range b.workloads {
		b.writeWorkload(&text, w)
		svg := filepath.Join(charts, fileName(w))
		if err := os.WriteFile(svg, []byte(b.chart(w)), 0o644); err != nil {
			return err
		}
	}
	text.WriteString(crowd)
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(text.String()), 0o644)
}

func fileName(w *workload) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(w.name)) + ".svg"
}

func (b *bench) writeWorkload(out io.Writer, w *workload) {
	fmt.Fprintf(out, "\n## %s\n\n%s.\n\n![%s](benchmarks/%s)\n\n|", capital(w.name), capital(w.about), w.name, fileName(w))
	near := b.networks[0]
	all, place := map[string]map[string]estimate{}, map[string]map[string]int{}
	for _, n := range b.networks {
		all[n.name] = b.ratios(w, n)
		place[n.name] = b.places(w, n)
		fmt.Fprintf(out, " | %s", n.name)
	}
	fmt.Fprint(out, " | trips | allocs | bytes | client CPU, µs | PostgreSQL CPU, µs |\n|---")
	fmt.Fprint(out, strings.Repeat("|--:", len(b.networks)+5), "|\n")
	for _, e := range b.entries {
		c := b.cells[key{w.name, near.name, e.name}]
		if c == nil || e.name == againName {
			continue
		}
		fmt.Fprintf(out, "| %s", e.name)
		for _, n := range b.networks {
			r := all[n.name][e.name]
			if e.name == floorName {
				fmt.Fprintf(out, " | %.0f µs (%d)", quartile(b.cells[key{w.name, n.name, e.name}].quiet), place[n.name][e.name])
				continue
			}
			fmt.Fprintf(out, " | %.2f [%.2f–%.2f] (%d)", r.Median, r.Low, r.High, place[n.name][e.name])
		}
		fmt.Fprintf(out, " | %.0f", b.cells[key{w.name, b.last().name, e.name}].trips)
		if c.allocs < 0 {
			fmt.Fprint(out, " | |")
		} else {
			fmt.Fprintf(out, " | %.0f | %.0f", c.allocs, c.bytes)
		}
		for _, spent := range []float64{float64(c.client.Microseconds()), float64(c.server.Microseconds())} {
			if spent == 0 { // cannot be measured here
				fmt.Fprint(out, " |")
			} else {
				fmt.Fprintf(out, " | %.0f", spent/float64(c.ops))
			}
		}
		fmt.Fprint(out, " |\n")
	}
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// machine names what all ran on.
func (b *bench) machine() string {
	processor := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name"); ok {
			line, _, _ := strings.Cut(after, "\n")
			processor = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	names := []string{
		fmt.Sprintf("%d cores (%s, %s), client and PostgreSQL on the same machine", runtime.NumCPU(), processor, runtime.GOOS),
		"PostgreSQL " + b.Version() + " (" + strings.Join(settings, ", ") + ")", runtime.Version(),
	}
	wanted := map[string]string{
		"github.com/jackc/pgx/v5": "pgx", "gorm.io/gorm": "GORM", "entgo.io/ent": "ent", "github.com/uptrace/bun": "bun",
		"github.com/uptrace/bun/driver/pgdriver": "pgdriver",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if name := wanted[dep.Path]; name != "" {
				names = append(names, name+" "+strings.TrimPrefix(dep.Version, "v"))
			}
		}
	}
	if b.drizzle != "" {
		names = append(names, b.drizzle)
	}
	return strings.Join(names, "; ")
}
