package main

import (
	"fmt"
	"math"
	"strings"
)

var colors = []string{"#2563eb", "#d97706", "#059669"}

// chart draws the ratios of a workload as dots on lines that are their intervals; each step to the right is twice.
func (b *bench) chart(w *workload) string {
	const left, right, top, step, foot = 150, 560, 34, 26, 24
	shown := []string{}
	least, most := 1.0, 2.0
	all := make([]map[string]estimate, len(b.networks))
	for i, n := range b.networks {
		all[i] = b.ratios(w, n)
		for _, r := range all[i] {
			least, most = min(least, r.Low), max(most, r.High)
		}
	}
	for _, e := range b.entries {
		if _, ok := all[0][e.name]; ok && e.name != againName {
			shown = append(shown, e.name)
		}
	}
	low, high := math.Floor(math.Log2(least)), math.Ceil(math.Log2(most))
	x := func(ratio float64) float64 { return left + (math.Log2(ratio)-low)/(high-low)*(right-left) }
	height := top + step*len(shown) + foot
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" `+
		`font-family="system-ui, sans-serif" font-size="12" role="img"><title>%s: time as a ratio to the floor</title>`,
		right+40, height, right+40, height, w.name)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="#fff"/>`)
	for i, n := range b.networks {
		fmt.Fprintf(&s, `<circle cx="%d" cy="14" r="4" fill="%s"/><text x="%d" y="18">%s</text>`,
			left+i*80, colors[i], left+8+i*80, n.name)
	}
	bottom := height - foot
	for power := low; power <= high; power++ {
		at, color := x(math.Exp2(power)), "#e5e7eb"
		if power == 0 {
			color = "#6b7280"
		}
		fmt.Fprintf(&s, `<path d="M%.1f %dV%d" stroke="%s"/>`, at, top-4, bottom, color)
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle" fill="#4b5563">%g×</text>`,
			at, bottom+16, math.Exp2(power))
	}
	for row, name := range shown {
		y := float64(top + step*row + step/2)
		weight := ""
		if name == ourName {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(&s, `<text x="%d" y="%.1f" text-anchor="end"%s>%s</text>`, left-10, y+4, weight, name)
		for i := range b.networks {
			r := all[i][name]
			at := y + 6*(float64(i)-float64(len(b.networks)-1)/2)
			fmt.Fprintf(&s, `<path d="M%.1f %.1fH%.1f" stroke="%s" stroke-width="2" opacity=".5"/>`+
				`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x(r.Low), at, x(r.High), colors[i], x(r.Median), at, colors[i])
		}
	}
	s.WriteString("</svg>\n")
	return s.String()
}
