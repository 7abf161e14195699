package betterauth_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// public says in every way that we know that all caches may keep an answer, and for long.
func public(h http.Header) {
	for _, name := range []string{
		"Cache-Control", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control",
		"Netlify-CDN-Cache-Control", "X-LiteSpeed-Cache-Control", "Surrogate-Control", "Edge-Control",
	} {
		h.Set(name, "public, max-age=31536000, s-maxage=31536000, stale-while-revalidate=60")
	}
	h.Set("Expires", "Thu, 01 Dec 2044 16:00:00 GMT")
	h.Set("Pragma", "public")
	h.Set("X-Accel-Expires", "31536000")
	h.Set("Vary", "Accept-Encoding")
	h["cache-control"] = []string{"public"}
	h["SURROGATE-CONTROL"] = []string{"max-age=60"}
	h.Add("Cache-Control", "s-maxage=60")
}

// checkPrivate fails unless an answer that has the session cookie is for who asked alone.
func checkPrivate(t *testing.T, what string, h http.Header) {
	t.Helper()
	if !slices.ContainsFunc(h.Values("Set-Cookie"), func(s string) bool { return strings.Contains(s, "session_token") }) {
		t.Errorf("%s: no session cookie in %v", what, h)
	}
	for name, values := range h {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case name == "Cache-Control":
			if !slices.Equal(values, []string{"private, no-store"}) {
				t.Errorf("%s: Cache-Control %q", what, values)
			}
		case strings.Contains(name, "Cache-Control"), strings.Contains(name, "Expires"), name == "Pragma",
			strings.HasSuffix(name, "-Control"):
			t.Errorf("%s: %s %q", what, name, values)
		}
	}
	if h.Get("Cache-Control") == "" {
		t.Errorf("%s: no Cache-Control", what)
	}
}

func checkVary(t *testing.T, what string, h http.Header, want ...string) {
	t.Helper()
	var got []string
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			got = append(got, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: Vary %q, want %q", what, got, want)
	}
}

// publicHandlers answer in all ways that there are, and want every cache to keep it.
func publicHandlers(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("content ", 1<<16)), 0o600); err != nil {
		t.Fatal(err)
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		public(w.Header())
		w.Header().Set("Link", "</style.css>; rel=preload")
		_, _ = io.WriteString(w, "proxied")
	}))
	t.Cleanup(backend.Close)
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	withinTime := inTime(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		public(w.Header())
		_, _ = io.WriteString(w, "in time")
	}))
	return map[string]http.HandlerFunc{
		"nothing":       func(w http.ResponseWriter, _ *http.Request) { public(w.Header()) },
		"nothing said":  func(http.ResponseWriter, *http.Request) {},
		"status":        func(w http.ResponseWriter, _ *http.Request) { public(w.Header()); w.WriteHeader(http.StatusNoContent) },
		"write":         func(w http.ResponseWriter, _ *http.Request) { public(w.Header()); _, _ = w.Write([]byte("x")) },
		"write string":  func(w http.ResponseWriter, _ *http.Request) { public(w.Header()); _, _ = io.WriteString(w, "x") },
		"write nothing": func(w http.ResponseWriter, _ *http.Request) { public(w.Header()); _, _ = w.Write(nil) },
		"copy": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("copied"), 6))
		},
		"copy nothing": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(io.LimitReader(strings.NewReader(""), 1))
			public(w.Header())
			w.WriteHeader(http.StatusOK)
		},
		"file": func(w http.ResponseWriter, r *http.Request) { public(w.Header()); http.ServeFile(w, r, file) },
		"file in part": func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=8-15")
			public(w.Header())
			http.ServeFile(w, r, file)
		},
		"not modified": func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("If-None-Match", `"tag"`)
			w.Header().Set("ETag", `"tag"`)
			public(w.Header())
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("content"))
		},
		"flush": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "after the flush")
		},
		"flush by a controller": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		},
		"a controller's other doings": func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			_ = c.EnableFullDuplex()
			_ = c.SetReadDeadline(time.Time{})
			_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
			public(w.Header())
			_ = c.Flush()
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			w.WriteHeader(http.StatusEarlyHints)
			public(w.Header())
			w.WriteHeader(http.StatusEarlyHints)
			public(w.Header())
			_, _ = io.WriteString(w, "after the hints")
		},
		"headers and more": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			w.WriteHeader(http.StatusOK)
			public(w.Header())
			_, _ = io.WriteString(w, "more")
			public(w.Header())
		},
		"header kept": func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			public(h)
			w.WriteHeader(http.StatusOK)
			public(h)
		},
		"header deleted": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("Cache-Control")
			w.Header().Del("Vary")
			w.Header().Set("Vary", "Accept-Encoding")
			w.WriteHeader(http.StatusOK)
		},
		"error": func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			http.Error(w, "no", http.StatusNotFound)
		},
		"redirection": func(w http.ResponseWriter, r *http.Request) {
			public(w.Header())
			http.Redirect(w, r, "/x", http.StatusMovedPermanently)
		},
		"proxy":       proxy.ServeHTTP,
		"within time": withinTime.ServeHTTP,
		"panic":       func(w http.ResponseWriter, _ *http.Request) { public(w.Header()); panic("a bug") },
	}
}

// recovers answers where a handler panics, with the header that is there.
func recovers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// opaque is middleware's writer that can do nothing by itself, and leads to one that can.
type opaque struct{ http.ResponseWriter }

func (o opaque) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func wrapsOpaquely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(opaque{w}, r) })
}

// answers sends a request over HTTP/1.1 and HTTP/2 and returns the headers that come back, also of informational ones.
func answers(t *testing.T, h http.Handler, header http.Header) map[string]http.Header {
	t.Helper()
	all := map[string]http.Header{}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = protocol == "HTTP/2.0"
		srv.StartTLS()
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				all[fmt.Sprint(protocol, " ", code, " ", len(all))] = http.Header(h)
				return nil
			},
		}), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			req.Header[name] = values
		}
		client := srv.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.Proto != protocol {
			t.Errorf("%s, not %s", res.Proto, protocol)
		}
		all[protocol] = res.Header
		srv.Close()
	}
	return all
}

// No cache gets a session cookie: neither one that the middleware renews nor one that the handler sets, whatever the
// handler says of caching, and however it answers.
func TestNoCacheGetsTheCookie(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	signed := auth.Cookies.Cookie("token", time.Hour)
	signsIn := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, signed)
			next.ServeHTTP(w, r)
		})
	}
	cookie := http.Header{"Cookie": {signed.Name + "=" + signed.Value}}
	for what, h := range publicHandlers(t) {
		for stack, test := range map[string]struct {
			handler http.Handler
			header  http.Header
			vary    bool
		}{
			"renewed":                    {auth.Require(h), cookie, true},
			"renewed if there":           {auth.Optional(h), cookie, true},
			"renewed, opaque":            {wrapsOpaquely(auth.Require(h)), cookie, true},
			"renewed, both":              {auth.Cookies.NoStore(auth.Require(h)), cookie, true},
			"signs in":                   {auth.Optional(signsIn(h)), nil, true},
			"signs in, without sessions": {auth.Cookies.NoStore(signsIn(h)), nil, false},
		} {
			if stack == "renewed, opaque" && what == "flush" {
				continue // it is no Flusher
			}
			for protocol, header := range answers(t, recovers(test.handler), test.header) {
				name := fmt.Sprint(what, ", ", stack, ", ", protocol)
				checkPrivate(t, name, header)
				want := []string{"Accept-Encoding"}
				if what == "nothing said" {
					want = nil
				}
				if test.vary {
					want = append(want, "Cookie")
				}
				checkVary(t, name, header, want...)
			}
		}
	}
}

// late is middleware's writer that holds back status, header and body, as one that compresses does, until it has more
// than a few bytes, is flushed, or the handler is done.
type late struct {
	http.ResponseWriter
	status int
	body   []byte
	sent   bool
}

func (l *late) WriteHeader(status int) { l.status = status }

func (l *late) Write(p []byte) (int, error) {
	if l.body = append(l.body, p...); len(l.body) > 8 {
		l.Flush()
	}
	return len(p), nil
}

func (l *late) Flush() {
	if !l.sent && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	_, _ = l.ResponseWriter.Write(l.body)
	l.body, l.sent = nil, true
}

// lateReader is one that also reads by itself.
type lateReader struct{ *late }

func (l lateReader) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l.late}, src)
}

func sendsLate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := &late{ResponseWriter: w}
		defer l.Flush()
		next.ServeHTTP(l, r)
	})
}

func sendsLateAndReads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := &late{ResponseWriter: w}
		defer l.Flush()
		next.ServeHTTP(lateReader{l}, r)
	})
}

func inTime(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") }

// byRead calls do before each part that it is read by, up to the last.
type byRead struct {
	parts []string
	do    func()
}

func (b *byRead) Read(p []byte) (int, error) {
	b.do()
	if len(b.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.parts[0])
	b.parts = b.parts[1:]
	return n, nil
}

// opensTo makes an answer public, and forgets what it depends on.
func opensTo(h http.Header) { public(h); h.Del("Vary") }

// Middleware outside may write the header long after the handler believes to have done so.
func TestNoCacheGetsTheCookieOfALateAnswer(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	signed := auth.Cookies.Cookie("token", time.Hour)
	for what, h := range map[string]http.HandlerFunc{
		"written": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			opensTo(w.Header())
		},
		"status": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			opensTo(w.Header())
		},
		"written again": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			opensTo(w.Header())
			_, _ = w.Write([]byte("more than a few bytes"))
		},
		"written again as a string": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			opensTo(w.Header())
			_, _ = io.WriteString(w, "more than a few bytes")
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			opensTo(w.Header())
			_ = http.NewResponseController(w).Flush()
		},
		"panic": func(w http.ResponseWriter, _ *http.Request) { opensTo(w.Header()); panic("a bug") },
		"copied": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, &byRead{[]string{"x"}, func() { opensTo(w.Header()) }})
		},
		"copied in parts": func(w http.ResponseWriter, _ *http.Request) {
			parts := []string{"x", strings.Repeat("x", 512), "more than a few bytes"}
			_, _ = io.Copy(w, &byRead{parts, func() { opensTo(w.Header()) }})
		},
		"copied, nothing": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, &byRead{nil, func() { opensTo(w.Header()) }})
		},
	} {
		for stack, outside := range map[string]func(http.Handler) http.Handler{
			"at once":         func(h http.Handler) http.Handler { return h },
			"in time":         inTime,
			"late":            sendsLate,
			"late, and reads": sendsLateAndReads,
		} {
			cookie := http.Header{"Cookie": {signed.Name + "=" + signed.Value}}
			for protocol, header := range answers(t, outside(recovers(auth.Require(h))), cookie) {
				name := fmt.Sprint(what, ", ", stack, ", ", protocol)
				checkPrivate(t, name, header)
				checkVary(t, name, header, "Cookie")
			}
		}
	}

	signsIn := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		http.SetCookie(w, signed)
		public(w.Header())
	})
	for protocol, header := range answers(t, inTime(auth.Cookies.NoStore(signsIn)), nil) {
		checkPrivate(t, "cookie after the status, "+protocol, header)
	}
}

// A file, or a part of it, is sent whole, however many parts it is written in.
func TestFileIsSentWhole(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	const size = 100_000
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(strings.Repeat("0123456789", size/10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{0, 1, 511, 512, 513, 5000, size, size + 1} {
		for what, outside := range map[string]func(http.Handler) http.Handler{
			"at once": func(h http.Handler) http.Handler { return h }, "late": sendsLate, "late, and reads": sendsLateAndReads,
		} {
			srv := httptest.NewServer(outside(auth.Optional(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				f, err := os.Open(name)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				if n, err := io.Copy(w, io.LimitReader(f, limit)); err != nil || n != min(limit, size) {
					t.Errorf("%s: copied %d of %d, %v", what, n, limit, err)
				}
			}))))
			res, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if want := strings.Repeat("0123456789", size/10)[:min(limit, size)]; err != nil || string(body) != want {
				t.Errorf("%s: got %d bytes of %d, %v", what, len(body), limit, err)
			}
			srv.Close()
		}
	}
}

// A handler that takes the connection and writes the header itself.
func TestNoCacheGetsTheCookieOfAHijacked(t *testing.T) {
	auth := authenticator(t, fakeOf("token", due))
	for _, byController := range []bool{false, true} {
		srv := httptest.NewServer(auth.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			var conn net.Conn
			var err error
			if byController {
				_ = http.NewResponseController(w).EnableFullDuplex()
				conn, _, err = http.NewResponseController(w).Hijack()
			} else {
				conn, _, err = w.(http.Hijacker).Hijack()
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
			_ = w.Header().Write(conn)
			_, _ = io.WriteString(conn, "\r\n")
		})))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(auth.Cookies.Cookie("token", 0))
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		checkPrivate(t, "hijacked", res.Header)
		srv.Close()
	}
}

// Whatever else is answered may be cached as the handler says, but by the cookie.
func TestOtherAnswersMayBeCached(t *testing.T) {
	auth := authenticator(t, fakeOf("token", fresh))
	want := http.Header{}
	public(want)
	for stack, h := range map[string]func(http.Handler) http.Handler{
		"Require": auth.Require, "Optional": auth.Optional, "NoStore": auth.Cookies.NoStore,
	} {
		w := serve(h(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			public(w.Header())
			http.SetCookie(w, &http.Cookie{Name: "theme", Value: "better-auth.session_token"})
			http.SetCookie(w, &http.Cookie{Name: "better-authority", Value: "x"})
			w.WriteHeader(http.StatusOK)
		})), request(auth.Cookies.Name()+"="+auth.Cookies.Sign("token")))
		for name, values := range want {
			if name != "Vary" && !slices.Equal(w.Header()[name], values) {
				t.Errorf("%s: %s is %q, not %q", stack, name, w.Header()[name], values)
			}
		}
	}
}

// Each of the cookies makes an answer private, also where it is cleared, or comes in another spelling.
func TestWhichCookiesArePrivate(t *testing.T) {
	for _, o := range []betterauth.CookieOptions{{}, {Secure: true}, {Prefix: "__Host-acme"}} {
		cookies := newCookies(t, o, secret)
		sent := request(cookies.Name() + "_multi-abc=x")
		var lines []string
		for _, c := range append(cookies.Clear(sent), cookies.Cookie("token", 0), cookies.DontRememberCookie()) {
			lines = append(lines, c.String())
		}
		for _, line := range append(lines, " "+lines[0], "\r\n\t"+lines[0]) {
			for _, key := range []string{"Set-Cookie", "set-cookie", "SET-COOKIE"} {
				w := serve(cookies.NoStore(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()[key] = []string{"theme=dark", line}
					w.Header().Set("Cache-Control", "public")
					w.WriteHeader(http.StatusOK)
				})), request(""))
				if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
					t.Errorf("%s: %q: Cache-Control %q", key, line, got)
				}
			}
		}
	}
}

// Every answer says that it depends on what was asked with, and on what the handler says.
func TestVary(t *testing.T) {
	shared := make([]string, 1, 4) // as that of a package, which must not change
	shared[0] = "Origin"
	for what, test := range map[string]struct {
		set  func(h http.Header)
		want []string
	}{
		"nothing":        {func(http.Header) {}, []string{"Cookie"}},
		"set":            {func(h http.Header) { h.Set("Vary", "Accept") }, []string{"Accept", "Cookie"}},
		"added":          {func(h http.Header) { h.Add("Vary", "Accept") }, []string{"Accept", "Cookie"}},
		"deleted":        {func(h http.Header) { h.Del("Vary") }, []string{"Cookie"}},
		"list":           {func(h http.Header) { h.Set("Vary", "Accept,Origin , X") }, []string{"Accept", "Origin", "X", "Cookie"}},
		"said already":   {func(h http.Header) { h.Set("Vary", "origin, cookie") }, []string{"Origin", "Cookie"}},
		"everything":     {func(h http.Header) { h.Set("Vary", "*") }, []string{"*"}},
		"something like": {func(h http.Header) { h.Set("Vary", "X-Cookie") }, []string{"X-Cookie", "Cookie"}},
		"shared":         {func(h http.Header) { h["Vary"] = shared }, []string{"Origin", "Cookie"}},
		"cleared":        {func(h http.Header) { clear(h) }, []string{"Cookie"}},
	} {
		for _, bearer := range []betterauth.Bearer{betterauth.BearerOff, betterauth.BearerSigned, betterauth.BearerPlain} {
			for token, err := range map[string]error{"": nil, "token": nil, "unknown": nil, "Token": errOfPG} {
				for _, anonymous := range []bool{false, true} {
					sessions := fakeOf("token", fresh)
					sessions.err = err
					auth := authenticator(t, sessions)
					auth.Bearer = bearer
					auth.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
						test.set(w.Header())
						betterauth.WriteError(w, err)
					}
					h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						test.set(w.Header())
						w.WriteHeader(http.StatusOK)
					})
					middleware := auth.Require
					if anonymous {
						middleware = auth.Optional
					}
					w := serve(middleware(h), request(auth.Cookies.Name()+"="+auth.Cookies.Sign(authdb.Secret(token))))
					want := test.want
					if bearer != betterauth.BearerOff && what != "everything" {
						want = append(slices.Clip(want), "Authorization")
					}
					checkVary(t, fmt.Sprint(what, " ", bearer, " ", token), w.Header(), want...)
				}
			}
		}
	}
	if extra := shared[:4]; !slices.Equal(extra, []string{"Origin", "", "", ""}) {
		t.Errorf("a slice of the handler's is written to: %q", extra)
	}
}

// A handler finds what the server's writer can do, and nothing else.
func TestWriterCanDoWhatItCould(t *testing.T) {
	auth := authenticator(t, fakeOf("token", fresh))
	type able struct{ flush, hijack, readFrom, writeString, closeNotify, deadline, duplex bool }
	look := func(w http.ResponseWriter) (a able) {
		_, a.flush = w.(http.Flusher)
		_, a.hijack = w.(http.Hijacker)
		_, a.readFrom = w.(io.ReaderFrom)
		_, a.writeString = w.(io.StringWriter)
		_, a.closeNotify = w.(interface{ CloseNotify() <-chan bool })
		a.deadline = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)) == nil
		a.duplex = http.NewResponseController(w).EnableFullDuplex() == nil
		return a
	}
	for _, http2 := range []bool{false, true} {
		var before, within able
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			within = look(w)
			if c := w.(interface{ CloseNotify() <-chan bool }).CloseNotify(); c == nil {
				t.Error("it never tells that the client is gone")
			}
			if err := w.(http.Pusher).Push("/style.css", nil); err == nil {
				t.Error("the client takes pushes")
			}
		})
		outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before = look(w)
			auth.Optional(inner).ServeHTTP(w, r)
		})
		srv := httptest.NewUnstartedServer(outer)
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		res, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		srv.Close()
		before.readFrom = true // by copying, where the server's cannot
		if before != within || before.hijack == http2 || !before.flush || !before.deadline || res.StatusCode != http.StatusOK {
			t.Errorf("HTTP/2 %v: %+v, before %+v, status %d", http2, within, before, res.StatusCode)
		}
	}

	plain := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	auth.Optional(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if got := look(w); got.flush || got.hijack || got.deadline || got.duplex {
			t.Errorf("a plain writer is %+v", got)
		}
		c := http.NewResponseController(w)
		if _, _, err := c.Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("hijack: %v", err)
		}
		if err := c.Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("flush: %v", err)
		}
		if err := w.(http.Pusher).Push("/", nil); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("push: %v", err)
		}
		if w.(interface{ CloseNotify() <-chan bool }).CloseNotify() != nil {
			t.Error("it tells that the client is gone")
		}
	})).ServeHTTP(plain, request(""))

	// One that can do only the one.
	for _, w := range []http.ResponseWriter{
		struct {
			http.ResponseWriter
			http.Flusher
		}{httptest.NewRecorder(), httptest.NewRecorder()},
		struct {
			http.ResponseWriter
			http.Hijacker
		}{httptest.NewRecorder(), noHijacker{}},
	} {
		before := look(w)
		auth.Optional(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if got := look(w); got.flush != before.flush || got.hijack != before.hijack {
				t.Errorf("got %+v, before %+v", got, before)
			}
		})).ServeHTTP(w, request(""))
	}
}

type noHijacker struct{}

func (noHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
