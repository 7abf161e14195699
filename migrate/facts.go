package migrate

import (
	_ "embed"
	"encoding/json"
	"sync"

	"github.com/zerostarter/authdb/migrate/catalog"
)

// change is what a migration does to the catalog.
type change struct {
	Version int            `json:"version"`
	Removed []catalog.Fact `json:"removed,omitempty"`
	Added   []catalog.Fact `json:"added,omitempty"`
}

// What each migration does, for when it cannot or need not run. A test writes it, and compares it with a scratch
// schema.
//
//go:embed facts.json
var factsJSON []byte

var changes = sync.OnceValue(func() (list []change) {
	if err := json.Unmarshal(factsJSON, &list); err != nil {
		panic("migrate: facts.json: " + err.Error())
	}
	return list
})
