// Package migrations holds the schema of authdb as SQL files, in the naming of golang-migrate.
package migrations

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// FS holds every NNNN_title.up.sql and NNNN_title.down.sql of this folder, and SHA256SUMS.
//
//go:embed *.sql SHA256SUMS
var FS embed.FS

// Drizzle is the Drizzle schema of what all of them make.
//
//go:embed drizzle.ts
var Drizzle string

// Sums is the file that holds the checksums of the released migrations, as sha256sum writes them.
const Sums = "SHA256SUMS"

// Migration is one step of the schema.
type Migration struct {
	Version  int
	Name     string // such as 0001_baseline
	Up, Down string // SQL; Down is empty where the file is missing
	Index    *Index // that it builds CONCURRENTLY, if it does
}

// Index is an index that a migration builds CONCURRENTLY. Names and columns are SQL, as the file has them.
type Index struct {
	Name, Table, Columns string
	Unique               bool
}

// Sum is the checksum of the SQL that the migration runs.
func (m Migration) Sum() string { return sum(m.Up) }

// formerly are the checksums of files that were edited after all, to the same effect. 4 called functions without their
// schema, which whoever may create in the schema of the tables could make their own.
var formerly = map[string]int{"081ae42f7e672c960fea13a9bd1778b5b6cf359636eec422b21e433f87d4b5c0": 4}

// HasSum reports whether a checksum is that of the migration, now or formerly.
func (m Migration) HasSum(sum string) bool { return sum == m.Sum() || formerly[sum] == m.Version }

func sum(s string) string {
	digest := sha256.Sum256([]byte(s))
	return hex.EncodeToString(digest[:])
}

var (
	fileName    = regexp.MustCompile(`^(\d+)_(\w+)\.up\.sql$`)
	createIndex = regexp.MustCompile(
		`(?m)^CREATE (UNIQUE )?INDEX CONCURRENTLY ("\w+") ON ("\w+") USING btree \(("\w+"(?:, "\w+")*|.+ text_pattern_ops)\);$`)
)

// Read lists the migrations of a folder, oldest first.
func Read(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.up.sql")
	if err != nil {
		return nil, err
	}
	list := make([]Migration, 0, len(names))
	for _, name := range names {
		match := fileName.FindStringSubmatch(path.Base(name))
		if match == nil {
			return nil, fmt.Errorf("%s: not NNNN_title.up.sql", name)
		}
		version, err := strconv.Atoi(match[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m := Migration{Version: version, Name: match[1] + "_" + match[2]}
		if m.Up, err = read(files, name); err != nil {
			return nil, err
		}
		if down, err := read(files, m.Name+".down.sql"); err == nil {
			m.Down = down
		}
		if match := createIndex.FindStringSubmatch(m.Up); match != nil {
			m.Index = &Index{Name: match[2], Table: match[3], Columns: match[4], Unique: match[1] != ""}
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return list, nil
}

// read returns a file with the line ends that it was released with, whatever those of the checkout are.
func read(files fs.FS, name string) (string, error) {
	content, err := fs.ReadFile(files, name)
	return strings.ReplaceAll(string(content), "\r\n", "\n"), err
}

// Fault is what is wrong with a folder of migrations.
type Fault struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Check looks for what golang-migrate would run into, or pass over in silence: gaps and doubles in the numbers, a
// missing down file, CONCURRENTLY beside other statements, and a released file that was edited or is gone.
func Check(files fs.FS) ([]Fault, error) {
	list, err := Read(files)
	if err != nil {
		return nil, err
	}
	faults := []Fault{}
	fault := func(file, reason string) { faults = append(faults, Fault{file, reason}) }
	for i, m := range list {
		switch {
		case i > 0 && m.Version == list[i-1].Version:
			fault(m.Name+".up.sql", "another migration has this number")
		case i > 0 && m.Version != list[i-1].Version+1, i == 0 && m.Version != 1:
			fault(m.Name+".up.sql", "a number is left out before it")
		}
		if number, _, _ := strings.Cut(m.Name, "_"); len(number) != 4 {
			fault(m.Name+".up.sql", "the number has not four digits")
		}
		if m.Down == "" {
			fault(m.Name+".down.sql", "missing or empty")
		}
		for suffix, sql := range map[string]string{".down.sql": m.Down, ".up.sql": m.Up} {
			if strings.Contains(sql, "CONCURRENTLY") && statements(sql) != 1 {
				fault(m.Name+suffix, "CONCURRENTLY must be alone in its file")
			}
		}
	}
	downs, err := fs.Glob(files, "*.down.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range downs {
		if !slices.ContainsFunc(list, func(m Migration) bool { return m.Name+".down.sql" == name }) {
			fault(name, "no up file")
		}
	}
	released, err := released(files)
	if err != nil {
		return nil, err
	}
	for _, r := range released {
		content, err := read(files, r.file)
		switch {
		case err != nil:
			fault(r.file, "released, but missing")
		case sum(content) != r.sum:
			fault(r.file, "edited after its release")
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.File, b.File) })
	return faults, nil
}

var comment = regexp.MustCompile(`(?m)^\s*--.*$`)

// statements counts the statements of a file, none of which has a semicolon inside.
func statements(sql string) int {
	n := 0
	for part := range strings.SplitSeq(comment.ReplaceAllString(sql, ""), ";") {
		if strings.TrimSpace(part) != "" {
			n++
		}
	}
	return n
}

type release struct{ file, sum string }

// released reads SHA256SUMS; a folder without it has released nothing.
func released(files fs.FS) ([]release, error) {
	content, err := read(files, Sums)
	if err != nil {
		return nil, nil
	}
	var list []release
	for line := range strings.Lines(content) {
		sum, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(sum) != 64 {
			return nil, fmt.Errorf("%s: malformed line", Sums)
		}
		list = append(list, release{file, sum})
	}
	return list, nil
}
