package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// download returns the directory of the server's binaries, fetched at the first use and kept in the cache.
func download(ctx context.Context, opts Options) (string, error) {
	p, err := thisPackage()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, p.dirName(), "bin")
	if !hasServer(bin) {
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
	opts.say("unpacking PostgreSQL %s", downloadVersion)
	native, err := unpackPackage(file, work)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", p.url(), err)
	}
	final := filepath.Join(cache, p.dirName())
	if hasServer(filepath.Join(final, "bin")) {
		return nil // another process was faster
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(native, final); err != nil && !hasServer(filepath.Join(final, "bin")) {
		return err
	}
	return nil
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

// runs tells a platform that the binaries were not built for from other failures.
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
