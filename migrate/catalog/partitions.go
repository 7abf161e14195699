package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// partitionKey matches the session table that PartitionSessions of package migrate makes.
var partitionKey = regexp.MustCompile(`PARTITION BY HASH \(token\) INHERITED BY ([^\s,]+(?:, [^\s,]+)*)`)

// Undivided replaces the facts of a session table that is partitioned by token by those of a plain one, and returns how
// many partitions it has. What a partition has beyond the whole table stays.
func Undivided(got []Fact) (facts []Fact, partitions int) {
	table, there := index(got)["table session"]
	found := partitionKey.FindStringSubmatch(table.Def)
	if !there || found == nil {
		return got, 0
	}
	parts := strings.Split(found[1], ", ")
	same := func(f Fact, part string) bool { // the whole has it too
		rest := strings.TrimPrefix(f.Name, part)
		return slices.ContainsFunc(got, func(w Fact) bool {
			return w.Kind == f.Kind && strings.HasPrefix(w.Name, "session.") && w.Def == f.Def &&
				(f.Kind != "column" || w.Name == "session"+rest)
		})
	}
	for _, f := range got {
		part := ""
		for _, p := range parts {
			if f.Name == p || strings.HasPrefix(f.Name, p+".") {
				part = p
			}
		}
		switch {
		case part != "" && (f.Kind == "table" && f.Def == "INHERITS session" || f.Kind == "index" && !strings.HasSuffix(f.Def, " INVALID")):
			continue
		case part != "" && (f.Kind == "column" || f.Kind == "constraint") && same(f, part):
			continue
		case f == table:
			f.Def = strings.TrimSpace(strings.Replace(f.Def, found[0], "", 1))
		case f.Kind == "constraint" && strings.HasPrefix(f.Name, "session.") && f.Def == "PRIMARY KEY (id, token)":
			f.Def = "PRIMARY KEY (id)"
		case f.Kind == "index" && strings.HasPrefix(f.Name, "session."):
			f.Def = strings.Replace(f.Def, " ON ONLY session ", " ON session ", 1)
		}
		facts = append(facts, f)
	}
	return facts, len(parts)
}
