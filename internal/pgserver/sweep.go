package pgserver

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// youth protects a directory whose server has not written its pid yet.
const youth = time.Minute

// sweep removes the directories of servers whose process was killed before it could.
func sweep(as account) {
	for _, root := range tempRoots() {
		dirs, _ := filepath.Glob(filepath.Join(root, dirPrefix+"*")) // errs only on a malformed pattern
		for _, dir := range dirs {
			if abandoned(dir, as) {
				os.RemoveAll(dir)
			}
		}
	}
}

func abandoned(dir string, as account) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ours(owner(info), as) {
		return false
	}
	postmaster := pidIn(filepath.Join(dir, dataName, "postmaster.pid"))
	if postmaster == 0 && time.Since(info.ModTime()) < youth {
		return false
	}
	launcher := pidIn(filepath.Join(dir, pidName))
	return !running(postmaster) && !running(launcher) && !answers(dir, postmaster)
}

func ours(uid int, as account) bool {
	return uid == os.Geteuid() || (as.other && uid == as.uid)
}

func running(pid int) bool { return pid > 0 && alive(pid) }

// answers asks the socket, because the server may run in another container, where pids are others.
func answers(dir string, postmaster int) bool {
	if postmaster == 0 {
		return false
	}
	sockets, _ := filepath.Glob(filepath.Join(dir, ".s.PGSQL.*[0-9]")) // errs only on a malformed pattern
	for _, socket := range sockets {
		if conn, err := net.DialTimeout("unix", socket, time.Second); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

// pidIn reads the first line of a pid file; 0 when there is none.
func pidIn(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	return pid
}
