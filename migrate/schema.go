package migrate

import (
	"strings"

	"github.com/zerostarter/authdb/db/migrations"
)

// Schema returns the SQL of the current schema for other tools, such as a sqlc.yaml, or for the empty database of a
// test. It is all that [Migrator.Up] applies, and can run in one transaction. A database that is to be migrated later
// needs Up, which also writes the version. Schema itself needs no database.
func Schema() (string, error) {
	steps, err := migrations.Read(migrations.FS)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("-- The schema of authdb, as its migrations make it.\n")
	b.WriteString("CREATE SCHEMA IF NOT EXISTS \"authdb\";\n") // tools do not see it in the migration's DO block
	for _, m := range steps {
		b.WriteString("\n-- " + m.Name + "\n")
		if m.Index != nil {
			b.WriteString(strings.Replace(m.Up, " CONCURRENTLY", "", 1))
		} else {
			b.WriteString(m.Up)
		}
	}
	return b.String(), nil
}
