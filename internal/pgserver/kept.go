package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// keptName is the file that says which process the server of a directory is, where that outlives the one that made it.
const keptName = "kept"

func (s *Server) noteKept() error {
	return os.WriteFile(filepath.Join(s.dir, keptName), []byte(strconv.Itoa(s.PID())), 0o600)
}

// StopKept stops the servers that this user has kept, with [Options.Keep], removes their directories, and returns those.
func StopKept() (stopped []string, err error) {
	for _, dir := range serverDirs() {
		if pid, ok := keptIn(dir); ok {
			stopErr := stopKept(dir, pid)
			err = errors.Join(err, stopErr)
			if stopErr == nil {
				stopped = append(stopped, dir)
			}
		}
	}
	return stopped, err
}

// keptIn says which process a directory of this user's names, into which nobody else can write.
func keptIn(dir string) (pid int, ok bool) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
		return 0, false
	}
	text, err := os.ReadFile(filepath.Join(dir, keptName))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(string(text))
	return pid, err == nil && pid > 1
}

// stopKept ends the server while it uses its log: afterwards its number may be another's.
func stopKept(dir string, pid int) error {
	const patience = 10 * time.Second
	for begin, asked := time.Now(), false; ; time.Sleep(pollInterval) {
		log, err := os.OpenFile(filepath.Join(dir, logName), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		running := inUse(log)
		_ = log.Close()
		if !running {
			return os.RemoveAll(dir)
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("the server of %s, process %d, does not end", dir, pid)
		}
		if asked {
			continue
		}
		server, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		if asked = true; server.Signal(os.Interrupt) != nil {
			_ = server.Kill() // where there are no signals; it may have ended
		}
	}
}
