package pgserver

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// goodPackage has the shape of the real one.
func goodPackage() []tar.Header {
	exe := ""
	if runtime.GOOS == "windows" {
		exe = ".exe"
	}
	return []tar.Header{
		{Name: "package/native/bin/initdb" + exe, Mode: 0o755},
		{Name: "package/native/bin/postgres" + exe, Mode: 0o755},
		{Name: "package/native/lib/libpq.so.5.18", Mode: 0o600},
		{Name: "package/native/pg-symlinks.json", Mode: 0o644, Linkname: // its content, see pack
		`[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"}]`},
	}
}

func pack(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range entries {
		content := "#!/bin/sh\n"
		if strings.HasSuffix(h.Name, ".json") {
			content, h.Linkname = h.Linkname, ""
		}
		if h.Typeflag != 0 && h.Typeflag != tar.TypeReg {
			content = ""
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// serve is a registry with one package; it may claim to have more bytes than it sends.
func serve(t *testing.T, tarball []byte, missing int) npmPackage {
	t.Helper()
	sum := sha512.Sum512(tarball)
	p := npmPackage{version: defaultVersion, platform: "test-x64", sha512: base64.StdEncoding.EncodeToString(sum[:])}
	mux := http.NewServeMux()
	mux.HandleFunc("/@embedded-postgres/test-x64/-/test-x64-"+defaultVersion+".0"+release+".tgz",
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(tarball)+missing))
			_, _ = w.Write(tarball)
		})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("npm_config_registry", server.URL+"/")
	return p
}

func TestInstall(t *testing.T) {
	p := serve(t, pack(t, goodPackage()), 0)
	cache := t.TempDir()
	var said []string
	opts := Options{Progress: func(s string) { said = append(said, s) }}
	for range 2 { // as two processes would: the second finds the place taken
		if err := p.install(t.Context(), cache, opts); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(cache, p.dirName())
	if !hasServer(filepath.Join(dir, "bin")) {
		t.Error("there is no server")
	}
	link := filepath.Join(dir, "lib", "libpq.so")
	if info, err := os.Stat(link); err != nil || (runtime.GOOS != "windows" && info.Mode() != 0o644) {
		t.Errorf("%s: %v, %v", link, info, err)
	}
	if !strings.Contains(strings.Join(said, "\n"), "100 %") {
		t.Errorf("progress: %q", said)
	}
	mustHold(t, cache, 1)
	for name, damage := range map[string]func(file string) error{
		"a file is missing": os.Remove,
		"a file is cut":     func(file string) error { return os.Truncate(file, 3) },
		"no sizes":          func(string) error { return os.Remove(filepath.Join(dir, sizesName)) },
	} {
		if err := damage(filepath.Join(dir, "lib", "libpq.so.5.18")); err != nil {
			t.Fatal(err)
		}
		if isIntact(dir) {
			t.Errorf("%s: taken for intact", name)
		}
		if err := p.install(t.Context(), cache, opts); err != nil || !isIntact(dir) {
			t.Errorf("%s: not mended: %v", name, err)
		}
	}
	mustHold(t, cache, 1)
}

func TestInstallRefuses(t *testing.T) {
	evil := func(h tar.Header) []tar.Header { return append(goodPackage(), h) }
	for name, c := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"traversal": {evil(tar.Header{Name: "package/../../evil", Mode: 0o644}), "outside"},
		"absolute":  {evil(tar.Header{Name: "/tmp/evil", Mode: 0o644}), "outside"},
		"link":      {evil(tar.Header{Name: "package/x", Linkname: "/etc", Typeflag: tar.TypeSymlink}), "more than files"},
		"twice":     {evil(goodPackage()[0]), "exists"},
		"no server": {goodPackage()[1:], "no server"},
		"bad links": {append(goodPackage()[:3], tar.Header{
			Name: "package/native/pg-symlinks.json", Mode: 0o644,
			Linkname: `[{"source":"native/lib/x","target":"../../evil"}]`,
		}), "link outside"},
	} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, pack(t, c.entries), 0)
			mustRefuse(t, p, c.want)
		})
	}
}

func TestBadSum(t *testing.T) {
	p := serve(t, pack(t, goodPackage()), 0)
	p.sha512 = packages["linux/amd64"].sha512
	mustRefuse(t, p, "sha512 does not match")
}

func TestTruncated(t *testing.T) {
	mustRefuse(t, serve(t, pack(t, goodPackage()), 7), "unexpected EOF")
}

func TestMissingPackage(t *testing.T) {
	p := serve(t, nil, 0)
	p.platform = "other"
	mustRefuse(t, p, "404")
}

func mustRefuse(t *testing.T, p npmPackage, want string) {
	t.Helper()
	parent := t.TempDir()
	cache := filepath.Join(parent, "cache")
	if err := os.Mkdir(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	err := p.install(t.Context(), cache, Options{})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	mustHold(t, cache, 0)
	mustHold(t, parent, 1)
}

func mustHold(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != want {
		t.Errorf("%s holds %v (%v), want %d", dir, entries, err, want)
	}
}
