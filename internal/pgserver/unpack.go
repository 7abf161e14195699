package pgserver

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// unpack writes a tar stream below dir: plain files and directories with local names, limit bytes in all.
func unpack(r io.Reader, dir string, limit int64) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if limit -= header.Size; limit < 0 {
			return errors.New("archive is larger than expected")
		}
		if err := unpackEntry(root, header, archive); err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(path.Clean(header.Name))
	if !filepath.IsLocal(name) {
		return fmt.Errorf("archive holds a name outside of it: %q", header.Name)
	}
	mode := header.FileInfo().Mode().Perm()
	switch header.Typeflag {
	case tar.TypeDir:
		return errors.Join(root.MkdirAll(name, 0o700), root.Chmod(name, mode|0o700))
	case tar.TypeReg:
		return unpackFile(root, name, mode, content)
	}
	return fmt.Errorf("archive holds more than files and directories: %q", header.Name)
}

func unpackFile(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	// Chmod, because the umask may have removed bits.
	return errors.Join(err, file.Chmod(mode), file.Close())
}
