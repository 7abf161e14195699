package pgserver

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStoreAndRestore(t *testing.T) {
	root := t.TempDir()
	data, kept := filepath.Join(root, "data"), filepath.Join(root, "cluster.tar")
	for _, dir := range []string{"empty", "base/1"} {
		if err := os.MkdirAll(filepath.Join(data, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "base/1/112"), bytes.Repeat([]byte("x"), 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store(data, kept); err != nil {
		t.Fatal(err)
	}
	mustHold(t, root, 2)
	again := filepath.Join(root, "again")
	if err := restore(kept, again); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, again), listing(t, data); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	if err := os.Truncate(kept, 5000); err != nil {
		t.Fatal(err)
	}
	if err := restore(kept, filepath.Join(root, "third")); err == nil {
		t.Error("half a cluster was restored")
	}
}

func TestUnpackLimit(t *testing.T) {
	root := t.TempDir()
	kept := filepath.Join(root, "cluster.tar")
	data := fakeServer(t, filepath.Join(root, "data"), "initdb")
	if err := store(data, kept); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unpack(file, t.TempDir(), 5); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size := info.Size()
		if entry.IsDir() {
			size = 0 // is the file system's affair
		}
		out.WriteString(strings.Join([]string{name, info.Mode().String(), string(rune('0' + size%10))}, " ") + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
