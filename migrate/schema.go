package migrate

import (
	"strings"

	"github.com/zerostarter/authdb/db/migrations"
)

// Schema returns the SQL of the current schema, for other tools: the schema of a sqlc.yaml, or an empty database of a
// test. It is what [Migrator.Up] applies, in one piece that may run in a transaction, and needs no database. A database
// that is to be migrated later needs Up instead, which also keeps the version.
func Schema() (string, error) {
	steps, err := migrations.Read(migrations.FS)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("-- The schema of authdb, as its migrations make it.\n")
	b.WriteString("CREATE SCHEMA IF NOT EXISTS \"authdb\";\n") // which Up makes, and tools do not see in a DO
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
