package betterauth

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"syscall"
)

// NoStore is middleware for handlers that set or clear a session cookie themselves, as for signing in and out, if they
// are not inside [Authenticator.Require] or [Authenticator.Optional], which do as much: an answer with a cookie of c is
// private and stored by no cache, whatever next says of caching. Around a whole mux it covers every handler.
func (c *Cookies) NoStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, a := c.guard(w, "")
		defer a.settle()
		next.ServeHTTP(w, r)
	})
}

// notForCaches makes what is answered with h private, for this time only.
func notForCaches(h http.Header) {
	for key, values := range h {
		switch name := textproto.CanonicalMIMEHeaderKey(key); {
		case key == "Cache-Control" && slices.Equal(values, private): // so that a header is written to once
		// CDN-Cache-Control (RFC 9213) and those of Cloudflare, Vercel and others go before Cache-Control.
		case strings.HasSuffix(name, "Cache-Control"), slices.Contains(cacheHeaders, name):
			delete(h, key)
		}
	}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = slices.Clone(private)
	}
}

// private is the Cache-Control of an answer for who asked alone. There are caches that heed only one of the two.
var private = []string{"private, no-store"}

// cacheHeaders say how long some cache may store an answer, beside those whose names end in Cache-Control.
var cacheHeaders = []string{"Expires", "Pragma", "Surrogate-Control", "Edge-Control", "X-Accel-Expires"}

// answer is a ResponseWriter that sees to the header before each write and when the handler is done: what is outside
// may write it at any of them, and the handler has no more say then.
type answer struct {
	http.ResponseWriter
	cookies *Cookies
	vary    string // what the answer depends on
}

// settle makes the header what it must be. It costs a look at each of its keys.
func (a *answer) settle() {
	h := a.Header()
	if a.cookies.sets(h) {
		notForCaches(h)
	}
	addVary(h, a.vary)
}

// sets tells whether a header sets or clears one of the other side's cookies, the session's or another.
func (c *Cookies) sets(h http.Header) bool {
	for key, lines := range h {
		if len(key) != len("Set-Cookie") || !strings.EqualFold(key, "Set-Cookie") {
			continue
		}
		for _, line := range lines {
			if strings.HasPrefix(strings.TrimLeft(line, " \t\r\n"), c.name("")) {
				return true
			}
		}
	}
	return false
}

// addVary adds what is missing in Vary of names, which are joined by commas.
func addVary(h http.Header, names string) {
	for name := range strings.SplitSeq(names, ", ") {
		if name != "" && !varies(h["Vary"], name) {
			h["Vary"] = append(slices.Clip(h["Vary"]), name) // which may be another's
		}
	}
}

func varies(lines []string, by string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name == "*" || strings.EqualFold(name, by) {
				return true
			}
		}
	}
	return false
}

// WriteHeader writes the header, or an informational one, which has the same fields.
func (a *answer) WriteHeader(status int) {
	a.settle()
	a.ResponseWriter.WriteHeader(status)
}

// Write writes the header first, if that is still to do.
func (a *answer) Write(p []byte) (int, error) {
	a.settle()
	return a.ResponseWriter.Write(p)
}

// WriteString is for [io.WriteString].
func (a *answer) WriteString(s string) (int, error) {
	a.settle()
	return io.WriteString(a.ResponseWriter, s)
}

// ReadFrom is for [io.Copy]. To read may change the header, so each part is written by itself, but of a file, which is
// sent without copying it where the writer below can: there the first part is what has the header written.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	file := src
	if part, ok := src.(*io.LimitedReader); ok {
		file = part.R
	}
	if _, ok := file.(syscall.Conn); !ok {
		return io.Copy(struct{ io.Writer }{a}, src)
	}
	const first = 512 // as many as net/http looks at to tell a Content-Type
	n, err := io.Copy(struct{ io.Writer }{a}, io.LimitReader(src, first))
	if err != nil || n < first {
		return n, err
	}
	rest, err := io.Copy(a.ResponseWriter, src)
	return n + rest, err
}

// FlushError is for [http.ResponseController], which would pass it by and flush below.
func (a *answer) FlushError() error {
	a.settle()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController] too: what it does there writes no header.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Push answers as [http.Pusher] says where the writer below is none.
func (a *answer) Push(target string, o *http.PushOptions) error {
	if p, ok := a.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// CloseNotify is what old code asks for, http.CloseNotifier. It never tells where the writer below does not.
func (a *answer) CloseNotify() <-chan bool {
	if n, ok := a.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return nil
}

// flusher and hijacker are for handlers that do otherwise where a writer is none.
type (
	flusher  struct{ a *answer }
	hijacker struct{ a *answer }
)

// Flush is FlushError without the error.
func (f flusher) Flush() { _ = f.a.FlushError() }

// Hijack also makes the header what it must be, if the handler wants to write it by hand.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.a.settle()
	return h.a.ResponseWriter.(http.Hijacker).Hijack()
}

// guard returns a writer that can do what w can, and its answer, for settle to be called when the handler is done: the
// header may be written only then, as where the handler wrote nothing or panicked, or what is outside holds it back.
func (c *Cookies) guard(w http.ResponseWriter, vary string) (http.ResponseWriter, *answer) {
	a := &answer{ResponseWriter: w, cookies: c, vary: vary}
	_, flushes := w.(http.Flusher)
	_, hijacks := w.(http.Hijacker)
	switch {
	case flushes && hijacks:
		return struct {
			*answer
			flusher
			hijacker
		}{a, flusher{a}, hijacker{a}}, a
	case flushes:
		return struct {
			*answer
			flusher
		}{a, flusher{a}}, a
	case hijacks:
		return struct {
			*answer
			hijacker
		}{a, hijacker{a}}, a
	}
	return a, a
}
