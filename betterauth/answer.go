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

// NoStore is middleware for handlers that set or clear a session cookie themselves, as when signing in and out: an
// answer with a cookie of c is private and stored by no cache, whatever next says about caching.
// [Authenticator.Require] and [Authenticator.Optional] do the same. Around a mux, NoStore covers every handler.
func (c *Cookies) NoStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, a := c.guard(w, "")
		defer a.settle()
		next.ServeHTTP(w, r)
	})
}

// notForCaches makes an answer with the header h private and not to be stored.
func notForCaches(h http.Header) {
	for key, values := range h {
		switch name := textproto.CanonicalMIMEHeaderKey(key); {
		case key == "Cache-Control" && slices.Equal(values, private): // so that the header is changed once
		// CDN-Cache-Control (RFC 9213) and those of Cloudflare, Vercel and others override Cache-Control.
		case strings.HasSuffix(name, "Cache-Control"), slices.Contains(cacheHeaders, name):
			delete(h, key)
		}
	}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = slices.Clone(private)
	}
}

// private is the Cache-Control of an answer for one client alone. Some caches heed only one of the two words.
var private = []string{"private, no-store"}

// cacheHeaders tell some cache how long to store an answer, beside those whose names end in Cache-Control.
var cacheHeaders = []string{"Expires", "Pragma", "Surrogate-Control", "Edge-Control", "X-Accel-Expires"}

// answer is a ResponseWriter that corrects the header before each write and when the handler is done. Any of these may
// send the header, after which the handler cannot change it.
type answer struct {
	http.ResponseWriter
	cookies *Cookies
	vary    string // the header fields that the answer depends on
}

// settle corrects the header. It looks at each of its keys.
func (a *answer) settle() {
	h := a.Header()
	if a.cookies.sets(h) {
		notForCaches(h)
	}
	addVary(h, a.vary)
}

// sets reports whether a header sets or clears one of the server's cookies, the session's or another.
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

// addVary adds to Vary those of names, separated by commas, that it lacks.
func addVary(h http.Header, names string) {
	for name := range strings.SplitSeq(names, ", ") {
		if name != "" && !varies(h["Vary"], name) {
			h["Vary"] = append(slices.Clip(h["Vary"]), name) // others may share the slice
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

// Write first writes the header, unless that was done.
func (a *answer) Write(p []byte) (int, error) {
	a.settle()
	return a.ResponseWriter.Write(p)
}

// WriteString is for [io.WriteString].
func (a *answer) WriteString(s string) (int, error) {
	a.settle()
	return io.WriteString(a.ResponseWriter, s)
}

// ReadFrom is for [io.Copy]. Reading may change the header, so each part is written by itself. A file is sent without
// copying, if the writer below can, after a first part that sends the header.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	file := src
	if part, ok := src.(*io.LimitedReader); ok {
		file = part.R
	}
	if _, ok := file.(syscall.Conn); !ok {
		return io.Copy(struct{ io.Writer }{a}, src)
	}
	const first = 512 // what net/http looks at to find a Content-Type
	n, err := io.Copy(struct{ io.Writer }{a}, io.LimitReader(src, first))
	if err != nil || n < first {
		return n, err
	}
	rest, err := io.Copy(a.ResponseWriter, src)
	return n + rest, err
}

// FlushError is for [http.ResponseController], which otherwise would flush the writer below.
func (a *answer) FlushError() error {
	a.settle()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController], too: what that does below writes no header.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Push is for [http.Pusher]. If the writer below is none, it returns the error that this documents.
func (a *answer) Push(target string, o *http.PushOptions) error {
	if p, ok := a.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// CloseNotify is for old code that uses http.CloseNotifier. If the writer below is none, its channel never sends.
func (a *answer) CloseNotify() <-chan bool {
	if n, ok := a.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return nil
}

// flusher and hijacker are separate, since handlers ask whether a writer is one.
type (
	flusher  struct{ a *answer }
	hijacker struct{ a *answer }
)

// Flush is FlushError without the error.
func (f flusher) Flush() { _ = f.a.FlushError() }

// Hijack also corrects the header, in case the handler writes it by hand.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.a.settle()
	return h.a.ResponseWriter.(http.Hijacker).Hijack()
}

// guard returns a writer that can do what w can, and its answer. The caller calls its settle when the handler is done,
// since the header may be sent only then: the handler wrote nothing, panicked, or what is outside held the header back.
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
