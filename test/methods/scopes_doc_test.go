package methods_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// scopesByField are the scopes that a parameter, or a field of a parameter struct, gives a method by its name.
var scopesByField = map[string]string{
	"organizationid": "organization",
	"userid":         "user",
	"ownerid":        "user",
	"token":          "token",
	"tokens":         "token",
	"identifier":     "identifier",
	"verificationid": "identifier",
	"providerid":     "identifier",
	"slug":           "identifier",
	"email":          "identifier",
}

// scopes are what a method's parameters can say of whose rows it reaches, in the order of docs/operations.md.
var scopes = []string{"organization", "user", "recipient", "token", "identifier", "rows", "administration"}

// TestEachMethodHasAScope: docs/operations.md states the scope that the method's parameters give it, and is written from
// them with UPDATE_DOCS=1. The first that names whose rows they are decides.
func TestEachMethodHasAScope(t *testing.T) {
	t.Parallel()
	structs, funcs := map[string]*ast.StructType{}, map[string]*ast.FuncDecl{}
	for _, file := range kit.Must[[]string](t)(filepath.Glob("../../*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(kit.Must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)), func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					structs[n.Name.Name] = s
				}
			case *ast.FuncDecl:
				if n.Recv != nil {
					repository, _ := strings.CutSuffix(strings.TrimPrefix(types.ExprString(n.Recv.List[0].Type), "*"), "Repository")
					funcs[repository+"s."+n.Name.Name] = n
				}
			}
			return true
		})
	}
	methods := map[string][]string{} // by scope and repository, as a row begins
	for _, method := range methodNames() {
		f, ok := funcs[method]
		if !ok {
			t.Errorf("%s is not in the source", method)
			continue
		}
		repository, name, _ := strings.Cut(method, ".")
		row := fmt.Sprintf("| %s | %s | ", scopeOf(method, f, structs), repository)
		methods[row] = append(methods[row], name)
	}
	var table strings.Builder
	for _, scope := range scopes {
		for _, row := range kit.KeysOf(methods) {
			if strings.HasPrefix(row, "| "+scope+" |") {
				table.WriteString(row + strings.Join(methods[row], ", ") + " |\n")
			}
		}
	}
	doc := string(kit.Must[[]byte](t)(os.ReadFile("../../docs/operations.md")))
	head, rest, ok := strings.Cut(doc, "<!-- scopes -->\n")
	_, tail, ok2 := strings.Cut(rest, "\n<!-- end -->\n")
	if !ok || !ok2 {
		t.Fatal("docs/operations.md has no place for the scopes")
	}
	sameDoc(t, "../../docs/operations.md", head+"<!-- scopes -->\n| scope | repository | methods |\n|---|---|---|\n"+
		table.String()+"\n<!-- end -->\n"+tail)
}

func scopeOf(method string, f *ast.FuncDecl, structs map[string]*ast.StructType) string {
	if method == "Users.CreateWithAccount" {
		return "administration" // its account must name no user
	}
	for _, param := range f.Type.Params.List[1:] { // the first is the context
		element := strings.TrimLeft(types.ExprString(param.Type), "[]*")
		names := param.Names
		if fields, ok := structs[element]; ok {
			if _, isRow := authdbRows[element]; isRow {
				return "rows"
			}
			names = nil
			for _, field := range fields.Fields.List {
				names = append(names, field.Names...)
			}
		}
		creates := strings.HasPrefix(element, "Create")
		for _, name := range names {
			key := strings.ToLower(name.Name)
			if strings.HasPrefix(method, "Invitations.") && !creates && slices.Contains([]string{"invitationid", "email"}, key) {
				return "recipient"
			}
			scope := scopesByField[key]
			if creates && (key == "email" || key == "slug") {
				continue // what the new row is to have
			}
			if scope != "" {
				return scope
			}
		}
	}
	return "administration"
}

// authdbRows are the rows that Load takes.
var authdbRows = map[string]any{
	"User": authdb.User{}, "Session": authdb.Session{}, "Account": authdb.Account{}, "Organization": authdb.Organization{},
	"Member": authdb.Member{}, "Team": authdb.Team{}, "TeamMember": authdb.TeamMember{}, "Invitation": authdb.Invitation{},
}
