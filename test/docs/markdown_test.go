// Package docs_test holds the documentation to the code: links lead somewhere, samples are code that tests run, commands
// are run, and names exist. The guides' Go samples are the functions of this package.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// root is the repository.
const root = "../.."

// document is a Markdown file.
type document struct {
	name     string // from the root
	text     string
	prose    string // without blocks of code
	blocks   []block
	headings map[string]bool // as anchors
}

// block is a fenced block of code.
type block struct {
	language, text string
	line           int // of its first line
}

var (
	fence   = regexp.MustCompile("^ *```(\\S*)")
	heading = regexp.MustCompile(`^#{1,6} +(.*)$`)
)

// documents reads every Markdown file that git knows or would add.
func documents(t *testing.T) []document {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	for _, name := range strings.Fields(string(out)) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, but not yet for git
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, read(t, name, string(text)))
	}
	if len(all) < 17 {
		t.Fatalf("only %d documents", len(all))
	}
	return all
}

func read(t *testing.T, name, text string) document {
	t.Helper()
	d := document{name: name, text: text, headings: map[string]bool{}}
	var prose, code strings.Builder
	var open *block
	before := ""
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = &block{language: m[1], line: i + 2}
			code.Reset()
		case m != nil:
			open.text = code.String()
			d.blocks = append(d.blocks, *open)
			open = nil
		case open != nil:
			code.WriteString(line + "\n")
		default:
			prose.WriteString(line + "\n")
			if h := heading.FindStringSubmatch(line); h != nil {
				d.headings[anchor(h[1])] = true
			}
			if strings.HasPrefix(line, "    ") && before == "" {
				t.Errorf("%s:%d: a block without a language: fence it", name, i+1)
			}
			before = line
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block without an end", name, open.line)
	}
	d.prose = prose.String()
	return d
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// spans are the texts between single backticks.
func (d document) spans() []string {
	var all []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(d.prose, -1) {
		all = append(all, strings.Join(strings.Fields(m[1]), " "))
	}
	return all
}
