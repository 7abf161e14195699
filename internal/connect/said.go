package connect

import (
	"slices"
	"strings"
)

// SaidOnce is the text of an error of pgx, which tells of each attempt, with what is told again left out: where TLS is
// optional, a host that cannot be reached is told twice.
func SaidOnce(text string) string {
	head, rest, several := strings.Cut(text, "\n")
	if !several {
		return text
	}
	var lines []string
	for line := range strings.SplitSeq(rest, "\n") {
		if line = strings.TrimSpace(line); !strings.Contains(head, line) && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(head + " " + strings.Join(lines, "; "))
}
