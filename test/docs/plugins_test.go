package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
)

// files serves whoever sends an API key, in the header x-api-key, that permits to read files.
func files(keys *apikey.Keys) http.Handler {
	auth := &apikey.Authenticator{Keys: keys}
	return auth.Require(permission.Set{"files": {"read"}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		answer(w, http.StatusOK, map[string]string{"owner": key.ReferenceID})
	}))
}

// newKey returns a key to show its owner, once: the table has a hash of it.
func newKey(ctx context.Context, keys *apikey.Keys, userID string) (authdb.Secret, error) {
	made, err := keys.Create(ctx, apikey.CreateParams{OwnerID: userID, Permissions: permission.Set{"files": {"read"}}})
	return made.Secret, err
}

func TestAPIKeyGuide(t *testing.T) {
	t.Parallel()
	store := authdbtest.WithSchema(plugins.Admin, plugins.Tables).New(t)
	keys, err := apikey.New(t.Context(), store, apikey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(t.Context(), keys, authdbtest.User(t, store).ID)
	if err != nil {
		t.Fatal(err)
	}
	send := func(key authdb.Secret) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("X-Api-Key", string(key))
		w := httptest.NewRecorder()
		files(keys).ServeHTTP(w, r)
		return w.Code
	}
	for range 10 {
		if got := send(key); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	}
	if got := send(key); got != http.StatusTooManyRequests {
		t.Errorf("the eleventh: status %d", got)
	}
	if got := send("x" + key); got != http.StatusUnauthorized {
		t.Errorf("another key: status %d", got)
	}
}
