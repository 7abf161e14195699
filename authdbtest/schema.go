package authdbtest

import (
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// Schema is authdb's schema with tables of the tests' own beside it; see [WithSchema].
type Schema struct{ template *testdb.Template }

// WithSchema returns a Schema on which each of sql has been run, in order: what the tests need beside authdb's tables,
// such as the content of migration files. A text may hold several statements. They run once, on the template that each
// database is copied from, and not once for each test:
//
//	//go:embed schema.sql
//	var schemaSQL string
//
//	var schema = authdbtest.WithSchema(schemaSQL)
//
//	func TestBilling(t *testing.T) {
//		store := schema.New(t)
//		...
//	}
//
// Nothing is run before the first New or DSN. Those of other processes with the same sql, on the server of DATABASE_URL,
// share the template, which stays there.
func WithSchema(sql ...string) *Schema { return &Schema{testdb.NewTemplate(sql...)} }

// New is [New] with the tables of the Schema.
func (s *Schema) New(t testing.TB, opts ...authdb.Option) *authdb.Store {
	t.Helper()
	return open(t, s.DSN(t), opts)
}

// DSN is [DSN] with the tables of the Schema.
func (s *Schema) DSN(t testing.TB) string {
	t.Helper()
	return dsn(t, s.template.Database)
}
