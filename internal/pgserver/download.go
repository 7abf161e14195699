package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// download returns the directory of the server's binaries, fetched at the first use and kept in the cache.
func download(ctx context.Context, p npmPackage, opts Options) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, p.dirName(), "bin")
	if !isIntact(filepath.Dir(bin)) {
		if err := p.install(ctx, cache, opts); err != nil {
			return "", err
		}
	}
	return bin, runs(ctx, bin)
}

// install unpacks next to the final place and then renames, so that several processes may do it at once.
func (p npmPackage) install(ctx context.Context, cache string, opts Options) error {
	sweepDownloads(cache)
	work, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "package.tgz")
	if err := p.fetch(ctx, file, opts); err != nil {
		return err
	}
	opts.say("unpacking PostgreSQL %s", p.version)
	native, err := unpackPackage(file, work)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", p.url(), err)
	}
	sum, err := sizes(native)
	if err == nil {
		err = os.WriteFile(filepath.Join(native, sizesName), []byte(sum), 0o644)
	}
	if err != nil {
		return err
	}
	final := filepath.Join(cache, p.dirName())
	if isIntact(final) {
		return nil // another process was faster
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(native, final); err != nil && !isIntact(final) {
		return err
	}
	return nil
}

const sizesName = "sizes.sha256"

// isIntact reports whether no file of a download is missing or cut, as after a full disk or a clean-up of old files.
func isIntact(dir string) bool {
	want, err := os.ReadFile(filepath.Join(dir, sizesName))
	if err != nil {
		return false
	}
	sum, err := sizes(dir)
	return err == nil && sum == string(want)
}

// sizes is a digest of the names and sizes of the files below dir.
func sizes(dir string) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || name == sizesName {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintf(sum, "%q %d\n", name, info.Size())
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// sweepDownloads removes what killed processes left.
func sweepDownloads(cache string) {
	dirs, _ := filepath.Glob(filepath.Join(cache, "download-*")) // errs only on a malformed pattern
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.RemoveAll(dir)
		}
	}
}

// runs returns an error that says so if the binaries were not built for this platform.
func runs(ctx context.Context, bin string) error {
	out, err := exec.CommandContext(ctx, program(bin, "postgres"), "--version").CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	hint := ""
	if runtime.GOOS == "linux" {
		hint = " (it needs glibc 2.27 or newer; musl, as in Alpine, is not supported)"
	}
	return fmt.Errorf("the downloaded PostgreSQL cannot run on this system%s: %w%s", hint, err, indent(string(out)))
}
