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

// Authenticator finds out by which API key a request is sent: the one beside betterauth's, which goes by the session
// cookie. Each request that it lets pass has used its key once. It is safe for concurrent use.
type Authenticator struct {
	Keys *Keys
	// Header is the option apiKeyHeaders; empty: x-api-key.
	Header string
	// OnError answers a request that is refused, and may log why; nil: [WriteError].
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Require is middleware that serves requests with a key that permits what is wanted, as [Keys.Verify] has it: next
// finds the key by [FromContext]. It refuses others with the status and the body of the server, and all with 503 if the
// database cannot say. Answers vary by the header, and say so.
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

// Else is Require for requests that send a key, and lets others go on to the other handler, such as one behind the
// middleware of betterauth. One that sends a key which is refused is refused, whatever cookies it has.
func (a *Authenticator) Else(wanted permission.Set, next, other http.Handler) http.Handler {
	keyed := a.Require(wanted, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(a.header()) != "" {
			keyed.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", a.header())
		other.ServeHTTP(w, r)
	})
}

// Authenticate is what the middleware does: it verifies the key of a request, and adds to the header Vary of its
// answer. A request without a key has [ErrInvalidKey], as one with a key shorter than the plugin makes them.
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
		a.OnError(w, r, err)
		return
	}
	WriteError(w, err)
}

// answers are the server's, of 1.7.
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

// Code is what the server answers for an error of [Keys.Verify], such as KEY_DISABLED; empty for other errors.
func Code(err error) string {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.code
		}
	}
	return ""
}

// WriteError answers a request that was refused as a server of 1.6 and 1.7 does, with Retry-After where the key is rate
// limited. Any other error is status 503, and nothing of why.
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

// NewContext returns a context that says which key a request was sent with, for [FromContext], as a test of a handler
// needs it. The middleware asks all the same.
func NewContext(ctx context.Context, key Key) context.Context {
	return context.WithValue(ctx, contextKey{}, &key) // of a value, %#v would print what is in it
}

// FromContext returns the key that a request was sent with, as the middleware has found it. Nobody is signed in by it:
// betterauth's FromContext tells nothing of it.
func FromContext(ctx context.Context) (Key, bool) {
	if key, ok := ctx.Value(contextKey{}).(*Key); ok {
		return *key, true
	}
	return Key{}, false
}
