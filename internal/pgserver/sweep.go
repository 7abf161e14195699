package pgserver

import (
	"os"
	"path/filepath"
	"time"
)

// youth protects a directory whose log is not there yet, or not marked.
const youth = time.Minute

// sweep removes the directories of servers whose process was killed before it could.
func sweep() {
	for _, root := range tempRoots() {
		dirs, _ := filepath.Glob(filepath.Join(root, dirPrefix+"*")) // errs only on a malformed pattern
		for _, dir := range dirs {
			if abandoned(dir) {
				os.RemoveAll(dir)
			}
		}
	}
}

// abandoned says that a directory is this user's, and neither the process that made it nor a server uses its log, also
// in another container, where pids are others.
func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || owner(info) != os.Geteuid() || time.Since(info.ModTime()) < youth {
		return false
	}
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_RDWR, 0)
	if err != nil {
		return os.IsNotExist(err)
	}
	defer log.Close()
	return !inUse(log)
}
