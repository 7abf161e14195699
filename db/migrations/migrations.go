// Package migrations holds the schema of authdb as SQL files, in the naming of golang-migrate.
package migrations

import "embed"

// FS holds every NNNN_title.up.sql and NNNN_title.down.sql of this folder.
//
//go:embed *.sql
var FS embed.FS
