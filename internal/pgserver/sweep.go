package pgserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// youth protects a directory whose log is not there yet, or not marked.
const youth = time.Minute

// sweep removes the directories of servers whose process was killed before it could.
func sweep() {
	for _, dir := range serverDirs() {
		if abandoned(dir) {
			os.RemoveAll(dir)
		}
	}
}

// serverDirs are what is named like a server's directory, where such may be.
func serverDirs() (dirs []string) {
	roots := tempRoots()
	slices.Sort(roots)
	for _, root := range slices.Compact(roots) {
		entries, _ := os.ReadDir(root) // where nothing can be read, nothing of ours is
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), dirPrefix) {
				dirs = append(dirs, filepath.Join(root, entry.Name()))
			}
		}
	}
	return dirs
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
