package betterauth_test

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// Each line of code in the package comment is one of an example that runs, but for how it ends on an error.
func TestDocIsAnExample(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, block := range new(comment.Parser).Parse(file.Doc.Text()).Content {
		code, ok := block.(*comment.Code)
		if !ok {
			continue
		}
		for line := range strings.Lines(code.Text) {
			if line = strings.TrimSpace(line); line == "return err" {
				continue
			}
			if lines++; !strings.Contains(string(examples), line) {
				t.Errorf("no example has %s", line)
			}
		}
	}
	if lines < 20 {
		t.Errorf("only %d lines of code", lines)
	}
}
