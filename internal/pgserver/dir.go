package pgserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const (
	dirPrefix  = "authdb-pg-"
	dataName   = "data"
	logName    = "log"
	pidName    = "launcher.pid"
	socketPath = 103 // bytes; Linux allows 107, macOS 103
)

// makeDir makes the server's directory: short, because it holds the socket, and the server's alone, because whoever
// reaches the socket is trusted. What this process writes there is made before it goes to another user.
func (l *launcher) makeDir() (err error) {
	if l.dir, err = os.MkdirTemp(tempRoot(l.as), dirPrefix); err != nil {
		return err
	}
	pid := []byte(strconv.Itoa(os.Getpid()) + "\n")
	err = errors.Join(
		os.WriteFile(filepath.Join(l.dir, pidName), pid, 0o644),
		os.WriteFile(filepath.Join(l.dir, logName), nil, 0o644),
	)
	if err != nil {
		os.RemoveAll(l.dir)
		return err
	}
	if l.as.other && os.Chown(l.dir, os.Geteuid(), l.as.gid) != nil {
		l.as = account{namespace: true} // root may not give files away here
	}
	return nil
}

// tempRoots are where directories of servers may be.
func tempRoots() []string { return []string{os.TempDir(), "/var/tmp", "/tmp"} }

// tempRoot is the first that the server can reach and whose sockets have a name short enough.
func tempRoot(as account) string {
	longest := len("/"+dirPrefix+"4294967295/.s.PGSQL.65535") + 1
	for _, root := range tempRoots() {
		if len(root)+longest <= socketPath && reachable(root, as) {
			return root
		}
	}
	return os.TempDir()
}

// reachable says that another user may pass through every directory on the way to dir.
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

// handOver gives path and what is below it to the server's user.
func (l *launcher) handOver(path string) error {
	if !l.as.other {
		return nil
	}
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, l.as.uid, l.as.gid)
	})
}
