package pgserver

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// unpackPackage returns the directory in work that then holds bin, lib and share.
func unpackPackage(file, work string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	plain, err := gzip.NewReader(in)
	if err != nil {
		return "", err
	}
	if err := unpack(plain, work, unpackedLimit); err != nil {
		return "", err
	}
	root := filepath.Join(work, "package")
	native := filepath.Join(root, "native")
	if err := errors.Join(makeLinks(root), openToAll(native)); err != nil {
		return "", err
	}
	if !hasServer(filepath.Join(native, "bin")) {
		return "", errors.New("there is no server in it")
	}
	return native, nil
}

// makeLinks makes the symbolic links between libraries, which npm packages cannot hold and list in a file instead.
func makeLinks(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	list, err := root.ReadFile(filepath.Join("native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return err
	}
	for _, link := range links {
		source, target := filepath.FromSlash(link.Source), filepath.FromSlash(link.Target)
		if !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("link outside of the package: %q", link.Target)
		}
		to, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, target); err != nil {
			return err
		}
	}
	return nil
}

// openToAll lets the server's user, which may be another one, read everything.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() {
			mode |= 0o111
		}
		return os.Chmod(name, mode)
	})
}
