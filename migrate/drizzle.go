package migrate

import (
	"regexp"
	"slices"
	"strings"

	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// A table of the Drizzle schema, and where a column, an index or a comment begins in it.
var (
	drizzleTable = regexp.MustCompile(`(?ms)^export const (\w+) = pgTable\(\n  "(\w+)",\n.*?^\)$`)
	drizzleTimes = regexp.MustCompile(`^timestamp(?:\((\d)\))? with(out)?`)
	drizzleEntry = regexp.MustCompile(`^    (?:(?:\w+: \w+|index|uniqueIndex)\("(\w+)"\)|//)`)
)

// drizzle returns what the Drizzle schema needs once Up has run and, to judge by the catalog, may lack: whole tables,
// or lines of them. Columns in filled have a default that the migrations do not give; those in retyped have another
// type.
func (m *Migrator) drizzle(got []catalog.Fact, filled []string, retyped []catalog.Fact) []string {
	text, needed := []string{}, map[string]bool{}
	for _, f := range catalog.Minus(m.known(m.Latest()), got) {
		table, name, _ := strings.Cut(f.Name, ".")
		if f.Kind == "constraint" { // it is in its column's line
			_, name, _ = strings.Cut(f.Def, "(")
			name, _, _ = strings.Cut(name, ")")
		}
		needed[table+"."+name] = f.Name != redundantIndex
	}
	for _, match := range drizzleTable.FindAllStringSubmatch(migrations.Drizzle, -1) {
		whole := needed[match[2]+"."]
		take, lines := whole, ""
		for line := range strings.Lines(match[0]) {
			name := ""
			if entry := drizzleEntry.FindStringSubmatch(line); entry != nil {
				name = match[2] + "." + entry[1]
				take = entry[1] != "" && needed[name]
			} else if !strings.HasPrefix(line, "      ") { // the begin or end of a list
				take = whole
			}
			if slices.Contains(filled, name) {
				line = strings.Replace(line, `")`, `").defaultNow()`, 1)
			}
			if i := slices.IndexFunc(retyped, func(f catalog.Fact) bool { return f.Name == name }); i >= 0 {
				kind := drizzleTimes.FindStringSubmatch(retyped[i].Def)
				options := []string{"precision: " + kind[1], "withTimezone: true"}
				if kind[1] == "" {
					options = options[1:]
				}
				if kind[2] != "" {
					options = options[:len(options)-1]
				}
				line = strings.Replace(line, `")`, `", { `+strings.Join(options, ", ")+` })`, 1)
			}
			if take {
				lines += strings.ReplaceAll(line, "$onUpdate(now)", "$onUpdate(() => new Date())")
			}
		}
		if lines != "" && !whole {
			lines = "// " + match[1] + ":\n" + strings.TrimSuffix(lines, "\n")
		}
		if lines != "" {
			text = append(text, lines)
		}
	}
	return text
}
