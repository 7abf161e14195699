package apikey_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/permission"
)

// TestAuthenticator: each answer is the server's, and the handler gets the key.
func TestAuthenticator(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := layouts["from 1.5 on"].New(t)
	keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
	user := authdbtest.User(t, store).ID
	auth := &apikey.Authenticator{Keys: keys}
	handler := auth.Require(permission.Set{"files": {"read"}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := apikey.FromContext(r.Context())
		if _, signedIn := betterauth.FromContext(r.Context()); signedIn || !ok {
			t.Error("a key is nobody's session")
		}
		_, _ = io.WriteString(w, key.ReferenceID)
	}))
	ask := func(h http.Handler, header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		if header != "" {
			r.Header.Set(header, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		set, header string
		status      int
		body        string
	}{
		{``, "x-api-key", 200, user},
		{``, "X-API-Key", 200, user},
		{``, "Authorization", 401, `{"message":"Invalid API key.","code":"INVALID_API_KEY"}`},
		{``, "", 401, `{"message":"Invalid API key.","code":"INVALID_API_KEY"}`},
		{`enabled = false`, "x-api-key", 401, `{"message":"API Key is disabled","code":"KEY_DISABLED"}`},
		{`expires_at = '2020-01-01'`, "x-api-key", 401, `{"message":"API Key has expired","code":"KEY_EXPIRED"}`},
		{`permissions = '{}'`, "x-api-key", 401, `{"message":"API Key not found","code":"KEY_NOT_FOUND"}`},
		{`remaining = 0`, "x-api-key", 429, `{"message":"API Key has reached its usage limit","code":"USAGE_EXCEEDED"}`},
		{
			`request_count = 10, last_request = '2999-01-01'`, "x-api-key", 429,
			`{"message":"Rate limit exceeded.","code":"RATE_LIMITED","details":{"tryAgainIn":`,
		},
	} {
		made := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: user, Permissions: permission.Set{"files": {"read"}}}))
		if c.set != "" {
			if _, err := store.Pool().Exec(ctx, `UPDATE apikey SET `+c.set+` WHERE id = $1`, made.ID); err != nil {
				t.Fatal(err)
			}
		}
		w := ask(handler, c.header, string(made.Secret))
		if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.body) || w.Header().Get("Vary") != "X-Api-Key" {
			t.Errorf("%s, %s: %d %s %v", c.set, c.header, w.Code, w.Body, w.Header())
		}
		if (w.Header().Get("Retry-After") != "") != strings.Contains(c.body, "RATE") || w.Code != 200 && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", c.set, w.Header())
		}
		if short := ask(handler, "x-api-key", string(made.Secret[:63])); short.Code != 401 {
			t.Errorf("%s: short: %d", c.set, short.Code)
		}
	}

	made := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: user, NoRateLimit: true}))
	cookies := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "by cookie") })
	either := (&apikey.Authenticator{Keys: keys, Header: "X-Acme-Key"}).Else(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "by key")
	}), cookies)
	for value, want := range map[string]string{string(made.Secret): "by key", "": "by cookie", strings.Repeat("a", 64): "INVALID_API_KEY"} {
		w := ask(either, "x-acme-key", value)
		if !strings.Contains(w.Body.String(), want) || w.Header().Get("Vary") != "X-Acme-Key" {
			t.Errorf("%s: %s, %v", want, w.Body, w.Header())
		}
	}

	var told error
	auth.OnError = func(w http.ResponseWriter, _ *http.Request, err error) { told = err; w.WriteHeader(http.StatusTeapot) }
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(canceled, http.MethodGet, "/", nil)
	r.Header.Set("X-Api-Key", string(made.Secret))
	handler.ServeHTTP(w, r)
	if !errors.Is(told, context.Canceled) || w.Code != http.StatusTeapot {
		t.Errorf("%v, %d", told, w.Code)
	}
	w = httptest.NewRecorder()
	if apikey.WriteError(w, told); w.Code != 503 || !strings.Contains(w.Body.String(), "SERVICE_UNAVAILABLE") || apikey.Code(told) != "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	if apikey.WriteError(w, &apikey.RateLimitError{RetryAfter: 0}); w.Header().Get("Retry-After") != "1" {
		t.Error(w.Header())
	}
	w = httptest.NewRecorder()
	if apikey.WriteError(w, &apikey.RateLimitError{RetryAfter: time.Second + time.Millisecond}); w.Header().Get("Retry-After") != "2" {
		t.Error(w.Header())
	}
	if _, ok := apikey.FromContext(ctx); ok {
		t.Error("a key of nobody")
	}
	if _, ok := apikey.FromContext(apikey.NewContext(ctx, made.Key)); !ok {
		t.Error("no key")
	}
}

// TestNested: who asks for a key of one plugin is not told of another's, which other middleware around it found.
func TestNested(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := layouts["from 1.5 on"].New(t)
	keys := must[*apikey.Keys](t)(apikey.New(ctx, store, apikey.Options{}))
	made := must[apikey.Created](t)(keys.Create(ctx, apikey.CreateParams{OwnerID: authdbtest.User(t, store).ID}))
	answer := func(w http.ResponseWriter, r *http.Request) {
		if _, ok := apikey.FromContext(r.Context()); ok {
			_, _ = io.WriteString(w, "keyed")
		}
	}
	inner := &apikey.Authenticator{
		Keys: keys, Header: "X-Inner", OnError: func(w http.ResponseWriter, r *http.Request, _ error) { answer(w, r) },
	}
	handler := http.HandlerFunc(answer)
	for name, h := range map[string]http.Handler{"Else": inner.Else(nil, handler, handler), "Require": inner.Require(nil, handler)} {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.Header.Set("X-Api-Key", string(made.Secret))
		w := httptest.NewRecorder()
		(&apikey.Authenticator{Keys: keys}).Require(nil, h).ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
