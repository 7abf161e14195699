package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	dirPrefix  = "authdb-pg-"
	dataName   = "data"
	socketName = "s"
	logName    = "log"
	socketPath = 103 // bytes; Linux allows 107, macOS 103
)

// makeDir makes the server's directory. Its name is short, because it holds the socket; nobody else may enter it,
// because whoever reaches the socket is trusted. It belongs to this user. If the server runs as another user, two
// directories in it belong to that one. This process opens nothing there, since a link may lead anywhere: the log is
// opened here and handed on open.
func (l *launcher) makeDir() (err error) {
	if l.dir, err = l.newDir(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = l.removeDir()
		}
	}()
	flags := os.O_CREATE | os.O_EXCL | os.O_RDWR | os.O_APPEND
	if l.opts.Kept != "" {
		flags &^= os.O_EXCL
	}
	if l.log, err = os.OpenFile(filepath.Join(l.dir, logName), flags, 0o600); err != nil {
		return err
	}
	if l.held, err = os.Open(l.log.Name()); err != nil {
		return err
	}
	if inUse(l.held) {
		return fmt.Errorf("%s is in use", l.dir)
	}
	if err := errors.Join(markInUse(l.held), markInUse(l.log)); err != nil {
		return err
	}
	if l.as.other && os.Chown(l.dir, -1, l.as.gid) != nil {
		l.as = account{namespace: true} // root may not give files away here
	}
	if l.as.other {
		if err := os.Chmod(l.dir, 0o710); err != nil {
			return err
		}
	}
	sockets := filepath.Join(l.dir, socketName)
	return errors.Join(os.MkdirAll(sockets, 0o700), l.handOver(sockets))
}

func (l *launcher) newDir() (string, error) {
	if l.opts.Kept != "" {
		cache, err := cacheDir()
		if err != nil {
			return "", err
		}
		dir := filepath.Join(cache, l.opts.Kept)
		return dir, os.MkdirAll(dir, 0o700)
	}
	root, err := tempRoot(l.as)
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(root, dirPrefix)
}

func (l *launcher) removeDir() error {
	if l.log != nil {
		_, _ = l.log.Close(), l.held.Close() // they were only read
	}
	if l.opts.Kept != "" {
		return nil
	}
	return os.RemoveAll(l.dir)
}

// tempRoots are where servers' directories may be: places that nobody else can replace, and names that PostgreSQL takes
// for one directory of sockets, not for a list.
func tempRoots() (roots []string) {
	for _, dir := range []string{os.TempDir(), "/var/tmp", "/tmp"} {
		dir, err := filepath.Abs(dir)
		if err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err == nil && steady(dir) && !strings.ContainsAny(dir, ",\n") {
			roots = append(roots, dir)
		}
	}
	return roots
}

// steady reports whether only root and this user can rename what is in dir or on the way to it, without links.
func steady(dir string) bool {
	if !sockets { // on Windows, each user has a temporary directory
		return true
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || owner(info) != 0 && owner(info) != os.Geteuid() || info.Mode()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// tempRoot is the first of tempRoots that the server can reach and whose sockets have short enough names.
func tempRoot(as account) (string, error) {
	longest := len("/"+dirPrefix+"4294967295/"+socketName+"/.s.PGSQL.65535") + 1
	for _, root := range tempRoots() {
		if len(root)+longest <= socketPath && reachable(root, as) {
			return root, nil
		}
	}
	if as.other {
		return "", errors.New("no directory for temporary files that others cannot move, and the server's user can reach")
	}
	return os.TempDir(), nil
}

// reachable reports whether another user may pass through every directory on the way to dir.
func reachable(dir string, as account) bool {
	if !as.other {
		_, err := os.Stat(dir)
		return err == nil
	}
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || (info.Mode()&0o001 == 0 && owner(info) != as.uid) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// handOver gives a new directory to the server's user.
func (l *launcher) handOver(dir string) error {
	if !l.as.other {
		return nil
	}
	return os.Lchown(dir, l.as.uid, l.as.gid)
}
