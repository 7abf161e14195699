// Package names_test holds that no statement of this module runs, casts to or compares by what somebody else has made
// in a schema of the search path (CVE-2018-1058).
package names_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// text is a piece of SQL, and where it stands.
type text struct{ at, sql string }

// inFiles returns the statements of SQL files. None has a semicolon inside, but in a body between dollars.
func inFiles(t *testing.T, pattern string) (texts []text) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sql := regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(string(content), "")
		for statement := range strings.SplitSeq(sql, ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				texts = append(texts, text{filepath.Base(file), statement})
			}
		}
	}
	return texts
}

// inGo returns the SQL in the string literals of all Go files but tests, by their folder. Literals that are added up
// count as one.
func inGo(t *testing.T) map[string][]text {
	t.Helper()
	texts := map[string][]text{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (entry.Name()[0] == '.' || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if path == filepath.Join(root, "internal", "kit") || path == filepath.Join(root, "examples") {
			return filepath.SkipDir // shared by tests; the service's own tables
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
			return filepath.SkipDir // another module, with tables of its own
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			expr, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			sql, ok := literal(expr)
			if ok && looksLikeSQL(sql) {
				at := files.Position(expr.Pos())
				texts[folder] = append(texts[folder], text{filepath.Base(at.Filename) + ":" + strconv.Itoa(at.Line), sql})
			}
			return !ok
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// literal returns the text of a string literal, or of a sum with one, where ? stands for what is no literal.
func literal(expr ast.Expr) (s string, ok bool) {
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if expr.Kind == token.STRING {
			s, err := strconv.Unquote(expr.Value)
			return s, err == nil
		}
	case *ast.BinaryExpr:
		left, isLeft := literal(expr.X)
		right, isRight := literal(expr.Y)
		if expr.Op != token.ADD || !isLeft && !isRight {
			return "", false
		}
		if !isLeft {
			left = "?"
		}
		if !isRight {
			right = "?"
		}
		return left + right, true
	}
	return "", false
}

var (
	begins = regexp.MustCompile(`^\s*(--[^\n]*\s+)*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|MERGE|` +
		`(?i:select\s|insert\s+into|update\s+\S+\s+(\w+\s+)?set|delete\s+from|with\s+\w+\s+as))\b`)
	// Part of a statement: the house writes its words in capitals.
	within = regexp.MustCompile(`\b(SELECT|FROM|WHERE|JOIN|SET|AND|OR|NOT|CASE|WHEN|UNION|EXISTS|VALUES|RETURNING|` +
		`ORDER BY|GROUP BY|CREATE|ALTER|DROP|COPY|LOCK|CALL|EXECUTE|DO|USING)\b`)
)

// isStatement reports whether a text is one that reads or writes rows, and so can be prepared.
func isStatement(s string) bool { return begins.MatchString(s) }

// looksLikeSQL is also true of a statement's parts, not of a regular expression on SQL.
func looksLikeSQL(s string) bool {
	return !strings.HasPrefix(s, "(?") && (isStatement(s) || within.MatchString(s))
}
