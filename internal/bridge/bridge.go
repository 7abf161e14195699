// Package bridge lends unexported parts of the root package to the packages of plugins beside it.
package bridge

import (
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// The root package sets these. A store is an *authdb.Store.
var (
	// Repo returns the Repo of a store.
	Repo func(store any) *repo.Repo
	// Plugins returns the plugins that sessions has if it is an authdb.SessionRepository or a pointer to one.
	Plugins func(sessions any) (p repo.Plugins, known bool)
	// Error returns the *authdb.Error for what a Repo returned in op, or nil. refusals are the plugin's own.
	Error func(op string, err error, refusals map[repo.RefusalError]error) error
	// Check returns the *authdb.Error for the first fault, or nil.
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

// Fault is what is wrong with one argument; nothing is if Reason is empty.
type Fault struct {
	Field, Reason string
	Lookup        bool // the argument is a key that no row can have
}
