package pgserver

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const clusterLimit = 1 << 30

// initdbArgs let in everybody who reaches the socket, and nobody else without a password.
var initdbArgs = []string{"-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"}

// cluster makes the data directory unless there is a complete one by the same version.
func (l *launcher) cluster(ctx context.Context) error {
	made := filepath.Join(l.dir, "made-by")
	if by, err := os.ReadFile(made); err == nil && string(by) == l.version {
		return nil
	}
	if err := l.makeCluster(ctx); err != nil || l.opts.Kept == "" {
		return err
	}
	return os.WriteFile(made, []byte(l.version), 0o600)
}

// makeCluster makes the data directory. initdb takes most of the time of a start, so its result is kept as a tar file.
func (l *launcher) makeCluster(ctx context.Context) error {
	data, kept := filepath.Join(l.dir, dataName), l.keptCluster()
	if kept != "" && restore(kept, data) == nil {
		return nil
	}
	l.opts.say("making a database cluster")
	if err := errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700), l.handOver(data)); err != nil {
		return err
	}
	args := append([]string{"-D", data}, initdbArgs...)
	if !sockets { // no socket to set the password by later
		file := filepath.Join(l.dir, "password")
		if err := os.WriteFile(file, []byte(l.password), 0o600); err != nil {
			return err
		}
		defer os.Remove(file)
		args = append(args, "--pwfile="+file)
	}
	_, err := l.run(ctx, "initdb", args...)
	if isNameless(err) && !l.as.other {
		l.as.namespace = true // in a namespace the caller has a name
		if _, again := l.run(ctx, "initdb", args...); again == nil {
			err = nil
		}
		l.as.namespace = false
	}
	if isNameless(err) {
		err = fmt.Errorf("this user has no name, which PostgreSQL needs: put a line for uid %d into /etc/passwd, "+
			"or let DATABASE_URL name a server: %w", os.Geteuid(), err)
	}
	if err != nil {
		return err
	}
	if kept != "" {
		_ = store(data, kept) // if it fails, only the next start is slower
	}
	return nil
}

// isNameless reports whether initdb complained of a user without a line in /etc/passwd, as containers have them.
func isNameless(err error) bool {
	return err != nil && strings.Contains(err.Error(), "could not look up effective user ID")
}

// keptCluster names the tar file for these binaries and this time zone, which initdb writes into the cluster. It is ""
// if there is no place for one, or if another user could change it, and with it every later server.
func (l *launcher) keptCluster() string {
	cache, err := cacheDir()
	if err != nil || !sockets || l.as.other {
		return ""
	}
	key := sha256.Sum256([]byte(strings.Join(append([]string{l.bin, l.version, os.Getenv("TZ")}, initdbArgs...), "\x00")))
	return filepath.Join(cache, fmt.Sprintf("cluster-%x.tar", key[:8]))
}

func restore(kept, data string) error {
	file, err := os.Open(kept)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || owner(info) != os.Geteuid() {
		return errors.Join(err, os.ErrPermission)
	}
	sum, size := crc32.New(castagnoli), max(info.Size()-crc32.Size, 0)
	if _, err := io.CopyN(sum, file, size); err != nil {
		return err
	}
	stored, err := io.ReadAll(io.LimitReader(file, crc32.Size))
	if err != nil || !bytes.Equal(stored, sum.Sum(nil)) {
		return errors.Join(err, errors.New("not as it was stored"))
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	return unpack(io.NewSectionReader(file, 0, size), data, clusterLimit)
}

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// store writes a complete file with its sum at the end and renames it into place; of several processes the last wins.
func store(data, kept string) error {
	file, err := os.CreateTemp(filepath.Dir(kept), "cluster-*.part")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails after the rename
	sum := crc32.New(castagnoli)
	w := tar.NewWriter(io.MultiWriter(file, sum))
	err = errors.Join(w.AddFS(os.DirFS(data)), w.Close())
	_, sumErr := file.Write(sum.Sum(nil))
	// Synced, because after a crash a renamed file may be empty.
	err = errors.Join(err, sumErr, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), kept)
}
