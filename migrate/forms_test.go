package migrate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/internal/testdb"
	"github.com/zerostarter/authdb/migrate"
)

// TestForms: whatever form Better Auth's generators have given the tables, adopt completes it to one on which the library
// works. testdata/forms has what they print (test/adoption): a file is that of the later versions, too, up to the next.
func TestForms(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/forms/*.sql")
	if err != nil || len(files) != 32 {
		t.Fatalf("%d forms, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
			t.Parallel()
			sql, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, dsn := database(t)
			if a, err := testdb.Adopt(t.Context(), dsn, string(sql)); err != nil {
				t.Fatalf("%v\n%s", err, a.Diff)
			}
			if v, err := migrator(t, dsn, migrate.Options{}).Verify(t.Context(), migrate.VerifyOptions{Superset: true}); err != nil {
				t.Errorf("%v\n%s", err, v.Diff)
			}
			works(t, dsn)
		})
	}
}
