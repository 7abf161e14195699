package authdb_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// Many callers at once, some of whom give up, each get the session of their token, or that there is none; and from when
// it is revoked, nobody gets it.
func TestCoalescedAuthenticate(t *testing.T) {
	ctx := t.Context()
	s := authdbtest.New(t, authdb.WithCoalescing(2))
	const sessions, callers = 8, 32
	calls := kit.Hard(t, 100, 10_000)
	tokens := make([]authdb.Secret, sessions)
	users := map[authdb.Secret]string{}
	for i := range tokens {
		session := authdbtest.Session(t, s)
		tokens[i], users[session.Token] = session.Token, session.UserID
	}
	var mu sync.RWMutex
	revoked := map[authdb.Secret]bool{}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range calls {
				token := tokens[rand.N(sessions)]
				if rand.N(10) == 0 {
					token = "none"
				}
				mine, cancel := ctx, func() {}
				if rand.N(10) == 0 {
					mine, cancel = context.WithTimeout(ctx, rand.N(time.Millisecond))
				}
				mu.RLock()
				gone := revoked[token] || token == "none"
				mu.RUnlock()
				a, err := s.Sessions.Authenticate(mine, token)
				byToken, byTokenErr := s.Sessions.GetByToken(mine, token)
				overdue := mine.Err() != nil
				cancel()
				switch {
				case overdue && (errors.Is(err, context.DeadlineExceeded) || errors.Is(byTokenErr, context.DeadlineExceeded)):
				case gone && (!errors.Is(err, authdb.ErrNotFound) || !errors.Is(byTokenErr, authdb.ErrNotFound)):
					t.Errorf("a session that is gone: %v, %v", err, byTokenErr)
				case err == nil && a.User.ID != users[token] || byTokenErr == nil && byToken.UserID != users[token]:
					t.Error("another's session")
				case err != nil && !errors.Is(err, authdb.ErrNotFound):
					t.Error(err)
				}
			}
		})
	}
	for _, token := range tokens[:sessions/2] {
		time.Sleep(time.Millisecond)
		if err := s.Sessions.DeleteByToken(ctx, token); err != nil {
			t.Error(err)
		}
		mu.Lock()
		revoked[token] = true
		mu.Unlock()
	}
	group.Wait()
	kit.Fails(t, kit.ErrOf(authdb.New(s.Pool(), authdb.WithCoalescing(-1)).Users.Get(ctx, "x")), authdb.ErrInvalidInput, "Users.Get", "coalescing")
	if _, err := s.Sessions.Authenticate(nil, tokens[0]); !errors.Is(err, authdb.ErrInvalidInput) { //nolint:staticcheck // on purpose
		t.Error(err)
	}
}
