package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// keptName is the file in a kept server's directory that says where its programs are.
const keptName = "kept"

func (s *Server) noteKept() error {
	return os.WriteFile(filepath.Join(s.dir, keptName), []byte(s.bin), 0o600)
}

// StopKept stops this user's servers that were kept by [Options.Keep], removes their directories, and returns these.
func StopKept(ctx context.Context) (stopped []string, err error) {
	for _, dir := range serverDirs() {
		if bin, ok := keptIn(dir); ok {
			stopErr := stopKept(ctx, dir, bin)
			err = errors.Join(err, stopErr)
			if stopErr == nil {
				stopped = append(stopped, dir)
			}
		}
	}
	return stopped, err
}

// keptIn returns where the programs of a kept server are. dir must be this user's, and nobody else may write into it.
func keptIn(dir string) (bin string, ok bool) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
		return "", false
	}
	text, err := os.ReadFile(filepath.Join(dir, keptName))
	return string(text), err == nil && hasServer(string(text))
}

// stopKept stops a server as its own user, who can signal nobody else's process, and waits until nobody uses the log.
func stopKept(ctx context.Context, dir, bin string) error {
	const patience = 10 * time.Second
	data, err := os.Lstat(filepath.Join(dir, dataName))
	if err != nil {
		return err
	}
	as := serverAccount()
	if as.other && owner(data) != as.uid {
		as = account{namespace: true}
	}
	by := &launcher{bin: bin, as: as, dir: dir}
	_, stopErr := by.run(ctx, "pg_ctl", "stop", "-W", "-D", filepath.Join(dir, dataName), "-m", "fast")
	for begin := time.Now(); ; time.Sleep(pollInterval) {
		log, err := os.Open(filepath.Join(dir, logName))
		if err != nil {
			return err
		}
		running := inUse(log)
		_ = log.Close()
		if !running {
			return os.RemoveAll(dir)
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("the server in %s does not end: %w", dir, errors.Join(ctx.Err(), stopErr))
		}
	}
}
