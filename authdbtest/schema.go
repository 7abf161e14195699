package authdbtest

import (
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/testdb"
)

// Schema is authdb's schema and the tests' own tables; see [WithSchema].
type Schema struct{ template *testdb.Template }

// WithSchema returns a Schema with what the texts in sql make, in order, such as the content of migration files. A text
// may have several statements. They run once, on the template that each database is copied from, not once for each
// test:
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
// They run at the first New or DSN. Processes with the same sql and DATABASE_URL share the template, which stays there.
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
