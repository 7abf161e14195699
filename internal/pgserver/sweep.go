package pgserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// youth protects a new directory whose log does not exist yet, or is not locked.
const youth = time.Minute

// sweep removes the directories of servers whose starting process was killed before it could.
func sweep() {
	for _, dir := range serverDirs() {
		if abandoned(dir) {
			os.RemoveAll(dir)
		}
	}
}

// serverDirs are the entries named like a server's directory in the places where these may be.
func serverDirs() (dirs []string) {
	roots := tempRoots()
	slices.Sort(roots)
	for _, root := range slices.Compact(roots) {
		entries, _ := os.ReadDir(root) // an unreadable one has none of ours
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), dirPrefix) {
				dirs = append(dirs, filepath.Join(root, entry.Name()))
			}
		}
	}
	return dirs
}

// abandoned reports whether a directory is this user's, and neither the process that made it nor a server uses its log.
// Unlike pids, that also holds for those in another container.
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
