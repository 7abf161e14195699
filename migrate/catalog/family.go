package catalog

import (
	"regexp"
	"strings"
)

// The programs after whose pattern a database's constraints are named.
const (
	FamilyA = "drizzle-kit 0.31" // what the migrations make
	FamilyB = "drizzle-kit 1.0"
)

// familyB maps the ends of names to those of drizzle-kit 1.0; all other names are the same.
var familyB = map[string]string{"_unique": "_key", "_fk": "_fkey"}

// Normalize renames constraints of drizzle-kit 1.0 to what the migrations call them, if want has them, and returns
// which family it found.
func Normalize(got, want []Fact) (facts []Fact, family string) {
	names := map[string]string{} // from family B's to A's
	for _, f := range want {
		if f.Kind != "constraint" {
			continue
		}
		for a, b := range familyB {
			if stem, ok := strings.CutSuffix(f.Name, a); ok {
				names[stem+b] = f.Name
			}
		}
	}
	there := index(got)
	family = FamilyA
	facts = make([]Fact, 0, len(got))
	for _, f := range got {
		if a, ok := names[f.Name]; ok && f.Kind == "constraint" {
			if _, both := there["constraint "+a]; !both {
				f.Name, family = a, FamilyB
			}
		}
		facts = append(facts, f)
	}
	return facts, family
}

// Harmless differences of time columns: a time zone, which a session in UTC does not notice; a precision of
// milliseconds or finer; and the present as a default, for those who do not name the column.
var (
	timestamps = regexp.MustCompile(`^timestamp(?:\([3-6]\))? with(?:out)? time zone`)
	present    = regexp.MustCompile(` DEFAULT (?:now\(\)|CURRENT_TIMESTAMP|timezone\('utc'::text, now\(\)\)|\(now\(\) AT TIME ZONE 'utc'::text\))$`)
)

// Tolerate replaces harmless differences of time columns by the wanted definitions. It also returns the columns that
// have another type, as they are, and the names of those with an extra default.
func Tolerate(got, want []Fact) (facts, retyped []Fact, filled []string) {
	wanted, facts := index(want), make([]Fact, 0, len(got))
	for _, f := range got {
		w := wanted[f.key()]
		if plain := "timestamp without time zone"; f.Kind == "column" && strings.HasPrefix(w.Def, plain) {
			if def := timestamps.ReplaceAllString(f.Def, plain); def != f.Def {
				retyped, f.Def = append(retyped, f), def
			}
			if def := present.ReplaceAllString(f.Def, ""); def != f.Def && !present.MatchString(w.Def) {
				filled, f.Def = append(filled, f.Name), def
			}
			f.Def = strings.Replace(f.Def, "CURRENT_TIMESTAMP", "now()", 1)
		}
		facts = append(facts, f)
	}
	return facts, retyped, filled
}
