package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/permission"
)

// Authenticator authenticates requests by API key, as betterauth's does by session cookie. Each request that it lets
// pass uses its key once. It is safe for concurrent use.
type Authenticator struct {
	Keys *Keys
	// Header is the plugin's option apiKeyHeaders; empty: x-api-key.
	Header string
	// OnError answers a refused request, and may log why; nil: [WriteError].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Require is middleware that serves requests whose key permits everything in wanted; see [Keys.Verify]. next finds the
// key by [FromContext]. Require refuses others with the server's status and body, and everybody with 503 if the
// database cannot answer. It adds the key's header to Vary.
func (a *Authenticator) Require(wanted permission.Set, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := a.Authenticate(w, r, wanted)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), key)))
	})
}

// Else is Require for requests that send a key; other requests go to the handler other, such as one behind betterauth's
// middleware. A request whose key is refused is refused, whatever cookies it has.
func (a *Authenticator) Else(wanted permission.Set, next, other http.Handler) http.Handler {
	keyed := a.Require(wanted, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(a.header()) != "" {
			keyed.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", a.header())
		other.ServeHTTP(w, withoutKey(r))
	})
}

// Authenticate does what the middleware does: it verifies the key of a request, and adds its header to Vary. It returns
// [ErrInvalidKey] also for a request without a key, and for a key shorter than the plugin's.
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request, wanted permission.Set) (Key, error) {
	w.Header().Add("Vary", a.header())
	sent := r.Header.Get(a.header())
	if len(sent) < keyLength {
		sent = ""
	}
	return a.Keys.Verify(r.Context(), authdb.Secret(sent), wanted)
}

func (a *Authenticator) header() string {
	if a.Header == "" {
		return "X-Api-Key"
	}
	return http.CanonicalHeaderKey(a.Header)
}

func (a *Authenticator) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if a.OnError != nil {
		a.OnError(w, withoutKey(r), err)
		return
	}
	WriteError(w, err)
}

// answers are those of a 1.7 server.
var answers = []struct {
	err           error
	code, message string
	status        int
}{
	{ErrInvalidKey, "INVALID_API_KEY", "Invalid API key.", http.StatusUnauthorized},
	{ErrDisabled, "KEY_DISABLED", "API Key is disabled", http.StatusUnauthorized},
	{ErrExpired, "KEY_EXPIRED", "API Key has expired", http.StatusUnauthorized},
	{ErrNotPermitted, "KEY_NOT_FOUND", "API Key not found", http.StatusUnauthorized},
	{ErrUsageExceeded, "USAGE_EXCEEDED", "API Key has reached its usage limit", http.StatusTooManyRequests},
	{ErrRateLimited, "RATE_LIMITED", "Rate limit exceeded.", http.StatusTooManyRequests},
}

// Code returns the server's code for an error of [Keys.Verify], such as KEY_DISABLED; empty for other errors.
func Code(err error) string {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.code
		}
	}
	return ""
}

// WriteError answers a refused request as a server of 1.6 and 1.7 does, with Retry-After if the key is rate limited.
// For any other error the status is 503, without a reason.
func WriteError(w http.ResponseWriter, err error) {
	type details struct {
		TryAgainIn int64 `json:"tryAgainIn"` // milliseconds
	}
	body := struct {
		Message string   `json:"message"`
		Code    string   `json:"code"`
		Details *details `json:"details,omitempty"`
	}{"Service Unavailable", "SERVICE_UNAVAILABLE", nil}
	status := http.StatusServiceUnavailable
	for _, a := range answers {
		if errors.Is(err, a.err) {
			status, body.Message, body.Code = a.status, a.message, a.code
		}
	}
	if limited, ok := errors.AsType[*RateLimitError](err); ok {
		body.Details = &details{limited.RetryAfter.Milliseconds()}
		w.Header().Set("Retry-After", strconv.Itoa(int((limited.RetryAfter-1)/time.Second)+1))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type contextKey struct{}

// NewContext returns a context with a key for [FromContext], as a test of a handler needs it. The middleware does not
// rely on it.
func NewContext(ctx context.Context, key Key) context.Context {
	return context.WithValue(ctx, contextKey{}, &key) // %#v would print the fields of a value
}

// withoutKey hides the key that other middleware around this one found: it does not count here.
func withoutKey(r *http.Request) *http.Request {
	if _, ok := FromContext(r.Context()); !ok {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, (*Key)(nil)))
}

// FromContext returns the key that the innermost middleware found in a request. A key signs nobody in: betterauth's
// FromContext does not see it.
func FromContext(ctx context.Context) (Key, bool) {
	if key, ok := ctx.Value(contextKey{}).(*Key); ok && key != nil {
		return *key, true
	}
	return Key{}, false
}
