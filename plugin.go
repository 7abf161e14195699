package authdb

import (
	"errors"
	"time"

	"github.com/zerostarter/authdb/internal/bridge"
	"github.com/zerostarter/authdb/internal/repo"
)

func init() {
	bridge.Repo = func(store any) *repo.Repo { return store.(*Store).repo() }
	bridge.Plugins = func(sessions any) (repo.Plugins, bool) {
		switch r := sessions.(type) {
		case SessionRepository:
			return r.repo().Plugins, true
		case *SessionRepository:
			return r.repo().Plugins, true
		}
		return repo.Plugins{}, false
	}
	bridge.Error = func(op string, err error, refusals map[repo.RefusalError]error) error {
		if word, ok := errors.AsType[repo.RefusalError](err); ok && refusals[word] != nil {
			return &Error{Op: op, kinds: []error{refusals[word]}}
		}
		return translate(op, err)
	}
	bridge.Check = func(op string, faults ...bridge.Fault) error {
		for _, f := range faults {
			if err := check(op, fault{f.Field, f.Reason, f.Lookup}); err != nil {
				return err
			}
		}
		return nil
	}
	lend := func(f fault) bridge.Fault { return bridge.Fault{Field: f.field, Reason: f.reason, Lookup: f.lookup} }
	bridge.Key = func(field, s string) bridge.Fault { return lend(key(field, s)) }
	bridge.Required = func(field, s string, limit int) bridge.Fault { return lend(required(field, s, limit)) }
	bridge.Duration = func(field string, d time.Duration) bridge.Fault { return lend(duration(field, d)) }
	bridge.Instant = func(field string, t time.Time) bridge.Fault {
		if t.IsZero() {
			return bridge.Fault{}
		}
		return lend(instant(field, &t))
	}
	bridge.Text = func(field, s string, limit int) bridge.Fault { return lend(text(field, s, limit)) }
}
