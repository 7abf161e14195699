package authdb_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	osexec "os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestEverySymbolIsDocumented: go doc alone teaches the packages that users import.
func TestEverySymbolIsDocumented(t *testing.T) {
	t.Parallel()
	symbols := 0
	for _, dir := range []string{".", "authdbtest", "betterauth", "db/migrations", "migrate", "migrate/catalog", "signin"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		packageDoc := false
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			packageDoc = packageDoc || parsed.Doc != nil
			for _, decl := range parsed.Decls {
				for name, doc := range exported(decl) {
					symbols++
					// A function's doc starts with its name, as go doc shows it alone.
					if _, isFunc := decl.(*ast.FuncDecl); doc == "" || isFunc && !strings.HasPrefix(doc, name+" ") {
						t.Errorf("%s: %s is not documented: %q", file, name, doc)
					}
				}
			}
		}
		if !packageDoc {
			t.Errorf("package %s is not documented", dir)
		}
	}
	if symbols < 150 {
		t.Errorf("only %d symbols found", symbols)
	}
}

// exported returns the exported names of a declaration with their docs; a group's doc counts for each of its values.
func exported(decl ast.Decl) map[string]string {
	docs := map[string]string{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() {
			docs[d.Name.Name] = d.Doc.Text()
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					docs[s.Name.Name] = d.Doc.Text() + s.Doc.Text()
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						docs[name.Name] = s.Doc.Text() + d.Doc.Text()
					}
				}
			}
		}
	}
	return docs
}

// TestPublicAPI shows each change of the API in review, and keeps internal types out of it. UPDATE_API=1 writes the
// file anew.
func TestPublicAPI(t *testing.T) {
	t.Parallel()
	all, err := osexec.Command("go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	out := declarations(string(all))
	if found := regexp.MustCompile(`pgtype|dbgen|\brepo\.`).FindAllString(string(out), -1); found != nil {
		t.Errorf("internal types in the public API: %v", found)
	}
	const golden = "testdata/api.txt"
	if os.Getenv("UPDATE_API") != "" {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(out) {
		t.Errorf("the public API is not that of %s; if that is meant, run UPDATE_API=1 go test -run TestPublicAPI .", golden)
	}
}

// declarations drops the prose of go doc: what is indented by four spaces.
func declarations(doc string) []byte {
	_, doc, _ = strings.Cut(doc, "\nCONSTANTS\n")
	var kept strings.Builder
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "    ") || strings.TrimSpace(line) == "" || strings.HasPrefix(line, "\t//") {
			continue
		}
		kept.WriteString(line)
	}
	return []byte(kept.String())
}

// TestConventions: the rules of CONTRIBUTING, as far as reflection sees them.
func TestConventions(t *testing.T) {
	t.Parallel()
	text, ctx, fault := reflect.TypeFor[string](), reflect.TypeFor[context.Context](), reflect.TypeFor[error]()
	lists := map[string]reflect.Type{}
	var counts []string
	kit.Methods(authdb.New(nil), func(op string, method reflect.Value) {
		m := method.Type()
		if m.In(0) != ctx || m.Out(m.NumOut()-1) != fault {
			t.Errorf("%s: no context first, or no error last", op)
		}
		structs := 0
		for i := 1; i < m.NumIn(); i++ {
			switch in := m.In(i); {
			case in.Kind() == reflect.Struct && strings.HasSuffix(in.Name(), "Params"):
				structs++
				if i != m.NumIn()-1 {
					t.Errorf("%s: something after %v", op, in)
				}
				for _, f := range reflect.VisibleFields(in) {
					if strings.HasPrefix(in.Name(), "Update") && !strings.HasPrefix(f.Type.Name(), "Change[") && f.Type.Name() != "Actor" {
						t.Errorf("%v.%s is no Change", in, f.Name)
					}
				}
				if _, hasID := in.FieldByName("ID"); strings.HasSuffix(op, ".Create") && !hasID {
					t.Errorf("%v has no ID", in)
				}
			case in == text && structs > 0:
				t.Errorf("%s: an id after the params", op)
			}
		}
		table, name, _ := strings.Cut(op, ".")
		switch {
		case structs > 1:
			t.Errorf("%s: %d params structs", op, structs)
		case strings.HasPrefix(name, "List") && structs == 1:
			lists[op] = m.In(1)
		case strings.HasPrefix(name, "Count"):
			counts = append(counts, op)
		case name == "CreateMany" && m.In(1).Kind() != reflect.Slice:
			t.Errorf("%s takes %v", op, m.In(1))
		case strings.HasPrefix(name, "Get") && strings.Contains(m.Out(0).Name(), "With") && !strings.Contains(name, "With") &&
			!strings.HasPrefix(name, "GetFull"):
			t.Errorf("%s joins and does not say so", op)
		case name == "Delete" && m.NumOut() > 1 && !strings.HasPrefix(m.Out(0).Name(), "Deleted"):
			t.Errorf("%s of %s returns %v", name, table, m.Out(0))
		}
	})
	for _, op := range counts {
		method := reflect.ValueOf(authdb.New(nil)).Elem().FieldByName(op[:strings.Index(op, ".")]).MethodByName(op[strings.Index(op, ".")+1:])
		if list := lists[strings.Replace(op, ".Count", ".List", 1)]; method.Type().In(1) != list {
			t.Errorf("%s takes %v, its list %v", op, method.Type().In(1), list)
		}
	}
	if len(lists) < 9 || len(counts) < 9 {
		t.Errorf("%d lists, %d counts", len(lists), len(counts))
	}
}
