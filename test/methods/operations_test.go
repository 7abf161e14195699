package methods_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
)

// TestBetterAuthOperations holds docs/better-auth-operations.md to the code: every operation is there once, every
// method that it names exists, and its closing line counts right.
func TestBetterAuthOperations(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/better-auth-operations.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.TrimSpace(string(raw))

	cells := map[string][]string{} // of the authdb column, by no.
	row := regexp.MustCompile(`(?m)^\| ([A-Z]\d+) \| [^|]+ \| ([^|]+) \| (?:[^|]+ )?\|$`)
	for _, m := range row.FindAllStringSubmatch(doc, -1) {
		cells[m[1]] = append(cells[m[1]], m[2])
	}
	if tables := strings.Count(doc, "\n|---|---|---|---|\n"); strings.Count(doc, "\n|") != 2*tables+35+39+3 {
		t.Errorf("%d lines of tables, want %d", strings.Count(doc, "\n|"), 2*tables+35+39+3)
	}

	kinds := map[string]*regexp.Regexp{
		"counterpart": regexp.MustCompile("^`[A-Z]\\w+\\.[A-Z]\\w+`(, `[A-Z]\\w+\\.[A-Z]\\w+`)*$"),
		"nothing":     regexp.MustCompile("^nothing to do$"),
	}
	total, count := 0, map[string]int{}
	for _, section := range []struct {
		prefix     string
		operations int
		counted    bool
	}{
		{"I", 35, true},
		{"O", 39, true},
		{"W", 3, false},
	} {
		for i := range section.operations {
			no := fmt.Sprint(section.prefix, i+1)
			if len(cells[no]) != 1 {
				t.Errorf("%s is there %d times, want once", no, len(cells[no]))
				continue
			}
			found := ""
			for kind, pattern := range kinds {
				if pattern.MatchString(cells[no][0]) {
					found = kind
				}
			}
			if found == "" {
				t.Errorf("%s: %q is no list of methods and no \"nothing to do\"", no, cells[no][0])
			}
			if section.counted {
				total++
				count[found]++
			}
		}
	}

	for _, m := range regexp.MustCompile("`([A-Z]\\w+)\\.(\\w+)`").FindAllStringSubmatch(doc, -1) {
		field, ok := reflect.TypeFor[authdb.Store]().FieldByName(m[1])
		if ok && field.IsExported() {
			_, ok = field.Type.MethodByName(m[2])
		}
		if !ok {
			t.Errorf("there is no %s.%s", m[1], m[2])
		}
	}

	want := fmt.Sprintf("Of the %d operations of the two adapters %d have their counterpart, %d has nothing to do.",
		total, count["counterpart"], count["nothing"])
	if got := doc[strings.LastIndex(doc, "\n")+1:]; got != want {
		t.Errorf("the last line is\n%s\nwant\n%s", got, want)
	}
}
