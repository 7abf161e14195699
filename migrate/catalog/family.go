package catalog

import "strings"

// The names that a database's constraints have.
const (
	FamilyA = "drizzle-kit 0.31" // what the migrations make
	FamilyB = "drizzle-kit 1.0"
)

// familyB ends the names of these constraints otherwise; all other names are the same.
var familyB = map[string]string{"_unique": "_key", "_fk": "_fkey"}

// Normalize gives constraints that drizzle-kit 1.0 named the names that the migrations give them, where those are
// wanted, and says which family it found.
func Normalize(got, want []Fact) (facts []Fact, family string) {
	names := map[string]string{} // of family B, to those of A
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
