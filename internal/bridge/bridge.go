// Package bridge lends what the root package keeps to itself to the packages of plugins beside it.
package bridge

import (
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// The root package sets these. A store is an *authdb.Store.
var (
	// Repo is the way of a store to its database.
	Repo func(store any) *repo.Repo
	// Plugins are those that sessions go by, an authdb.SessionRepository or a pointer to one; of others it is not known.
	Plugins func(sessions any) (p repo.Plugins, known bool)
	// Error is the *authdb.Error for what a Repo returned in op, or nil. refusals are the plugin's own.
	Error func(op string, err error, refusals map[repo.RefusalError]error) error
	// Check is the *authdb.Error for the first fault, or nil.
	Check func(op string, faults ...Fault) error
	// Key checks an id or another key that rows are looked up by.
	Key func(field, s string) Fault
	// Required checks a text that may not be empty.
	Required func(field, s string, limit int) Fault
	// Text checks a text that may be empty.
	Text func(field, s string, limit int) Fault
	// Instant checks a time; zero is none.
	Instant func(field string, t time.Time) Fault
	// Duration checks a length of time.
	Duration func(field string, d time.Duration) Fault
)

// Fault is what is wrong with one argument; without a Reason, nothing.
type Fault struct {
	Field, Reason string
	Lookup        bool // the argument is a key that no row can have
}
