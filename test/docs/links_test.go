package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	reference = regexp.MustCompile(`(?m)^\[[^\]]+\]: +(\S+)`)
	attribute = regexp.MustCompile(`(?:src|srcset|href)="([^"]+)"`)
	code      = regexp.MustCompile("`[^`]+`")
)

const (
	module   = "github.com/zerostarter/authdb"
	packages = "https://pkg.go.dev/" + module
)

// TestLinks: every relative link leads to a file of the repository, every anchor to a heading, and every link to a
// package of this module to one that is there.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := map[string]document{}
	for _, d := range documents(t) {
		all[d.name] = d
	}
	n := 0
	for _, d := range all {
		prose := code.ReplaceAllString(d.prose, "")
		var targets []string
		for _, pattern := range []*regexp.Regexp{link, reference, attribute} {
			for _, m := range pattern.FindAllStringSubmatch(prose, -1) {
				targets = append(targets, m[1])
			}
		}
		for _, target := range targets {
			n++
			if why := broken(all, d, target); why != "" {
				t.Errorf("%s: %s: %s", d.name, target, why)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d links", n)
	}
}

// broken says why a link leads nowhere; it is empty for one that is right, or that leads out of the repository.
func broken(all map[string]document, d document, target string) string {
	if path, ok := strings.CutPrefix(target, packages); ok {
		path, _, _ = strings.Cut(path, "#")
		if files, _ := filepath.Glob(filepath.Join(root, path, "*.go")); len(files) == 0 {
			return "no such package"
		}
		return ""
	}
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	path, at, hasAnchor := strings.Cut(target, "#")
	name := d.name
	if path != "" {
		name = filepath.Join(filepath.Dir(d.name), path)
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return "no such file"
		}
	}
	if to, ok := all[name]; hasAnchor && (!ok || !to.headings[at]) {
		return "no such heading"
	}
	return ""
}

// TestBroken is the negative control of TestLinks.
func TestBroken(t *testing.T) {
	t.Parallel()
	d := read(t, "docs/a.md", "# A heading, with `code`\n")
	all := map[string]document{d.name: d}
	for target, want := range map[string]string{
		"../README.md":                 "",
		"../README":                    "no such file",
		"#a-heading-with-code":         "",
		"a.md#a-heading":               "no such file", // it is in memory only
		"#a-heading":                   "no such heading",
		"../README.md#a-heading":       "no such heading",
		packages + "/betterauth":       "",
		packages + "/betterauth#Hash":  "",
		packages + "/worseauth":        "no such package",
		"https://www.better-auth.com/": "",
	} {
		if got := broken(all, d, target); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
