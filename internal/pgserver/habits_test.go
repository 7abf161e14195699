package pgserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOddTempDirs: wherever programs are told to put temporary files, the server starts, and its DSN leads to it; where
// its sockets cannot be there, they are elsewhere.
func TestOddTempDirs(t *testing.T) {
	private(t)
	root, err := os.MkdirTemp("/tmp", "authdb-odd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil { // the server may be another user's
		t.Fatal(err)
	}
	t.Chdir(root)
	for name, c := range map[string]struct {
		dir            string
		inside, starts bool
	}{
		"plain":        {root + "/plain", true, false},
		"signs":        {root + "/it's  \"x\" ü%&?+#$(x)` ", true, true},
		"a comma":      {root + "/a,b", false, false}, // separates directories of sockets
		"very long":    {root + "/" + strings.Repeat("x", 120), false, false},
		"relative":     {"relative", true, true},
		"the parent":   {"./relative/..", true, false},
		"none":         {root + "/missing", false, false},
		"no directory": {root + "/file", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "none":
			case "no directory":
				err = os.WriteFile(c.dir, nil, 0o600)
			default:
				err = os.MkdirAll(c.dir, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", c.dir)
			abs, _ := filepath.Abs(c.dir)
			got, err := tempRoot(serverAccount())
			if err != nil || (got == abs) != c.inside || !filepath.IsAbs(got) {
				t.Errorf("the server would be in %s, %v", got, err)
			}
			if !c.starts {
				return
			}
			s := start(t, Options{})
			if got := ask(t, s.DSNFor("template1"), "select current_database()"); got != "template1" || filepath.Dir(s.Dir()) != abs {
				t.Errorf("%s in %s", got, s.Dir())
			}
		})
	}
}

// TestVariablesStayOut: what the environment says of another server does not reach a private one.
func TestVariablesStayOut(t *testing.T) {
	private(t)
	for name, value := range map[string]string{
		"PGHOST": "db.example.com", "PGPORT": "1", "PGDATABASE": "other", "PGUSER": "other", "PGPASSWORD": "secret",
		"PGPASSFILE": "/nowhere", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/nowhere", "PGSSLCERT": "/nowhere",
		"PGSSLKEY": "/nowhere", "PGSSLCERTMODE": "require", "PGSSLNEGOTIATION": "direct",
		"PGOPTIONS": "-c search_path=other -c default_transaction_read_only=on", "PGTARGETSESSIONATTRS": "standby",
		"PGCHANNELBINDING": "require", "PGREQUIREAUTH": "scram-sha-256", "PGCONNECT_TIMEOUT": "soon",
		"PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.0", "PGDATA": "/nowhere", "PGAPPNAME": "other",
	} {
		t.Setenv(name, value)
	}
	s, err := Start(testContext(t), Options{TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	for _, dsn := range []string{s.DSN(), s.SocketDSNFor("postgres")} {
		got := ask(t, dsn, "select current_user || ' ' || current_database() || ' ' || current_setting('search_path')")
		if got != `postgres postgres "$user", public` {
			t.Errorf("%s: %s", dsn, got)
		}
	}
	t.Run("PGSERVICE", func(t *testing.T) {
		t.Setenv("PGSERVICE", "other")
		if _, err := Start(testContext(t), Options{}); err == nil || !strings.Contains(err.Error(), "PGSERVICE") {
			t.Errorf("got %v", err)
		}
	})
}

// TestDamagedClusterHeals: what is kept between runs is believed only as it was written.
func TestDamagedClusterHeals(t *testing.T) {
	root := t.TempDir()
	data, kept := filepath.Join(root, "data"), filepath.Join(root, "cluster.tar")
	if err := os.MkdirAll(filepath.Join(data, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "base", "1"), []byte(strings.Repeat("page", 5_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store(data, kept); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"empty":         func([]byte) []byte { return nil },
		"short":         func(b []byte) []byte { return b[:len(b)/2] },
		"end lost":      func(b []byte) []byte { return b[:len(b)-1] },
		"a flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"zeros":         func(b []byte) []byte { return make([]byte, len(b)) },
		"other text":    func([]byte) []byte { return []byte("<html>not found</html>") },
		"longer":        func(b []byte) []byte { return append(b, 0) },
	} {
		if err := os.WriteFile(kept, damage(append([]byte(nil), sound...)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := restore(kept, filepath.Join(root, "again "+name)); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
	if err := os.WriteFile(kept, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(kept, filepath.Join(root, "again")); err != nil {
		t.Error(err)
	}
}
