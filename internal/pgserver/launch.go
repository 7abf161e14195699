package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/zerostarter/authdb/migrate/catalog"
)

const startTimeout = 60 * time.Second

// launcher holds what the steps of a start share.
type launcher struct {
	bin     string
	version string // what postgres --version prints
	as      account
	opts    Options
	dir     string
	log     *os.File // shared with the server, which may drop the lock on it
	held    *os.File // the log again, with a lock of this process alone
	port    int
	tcp     bool

	password string // of this server alone, for TCP
}

// launch starts a private server from the binaries in bin.
func launch(ctx context.Context, bin string, opts Options) (s *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	l := &launcher{bin: bin, opts: opts, tcp: opts.TCP || !sockets, password: rand.Text()}
	if err := l.probe(ctx); err != nil {
		return nil, err
	}
	sweep()
	if err := l.makeDir(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.removeDir()
		}
	}()
	if err := l.cluster(ctx); err != nil {
		return nil, err
	}
	s, err = l.serve(ctx)
	if err == nil && opts.Keep {
		if err = s.noteKept(); err != nil {
			_ = s.stop()
		}
	}
	return s, err
}

// probe runs the server's binary once to see whether it runs, and as which user.
func (l *launcher) probe(ctx context.Context) error {
	l.as = serverAccount()
	first := l.askVersion(ctx)
	if first == nil || !l.as.other || !refused(first) {
		return first
	}
	l.as = account{namespace: true}
	if l.askVersion(ctx) != nil {
		return fmt.Errorf("as root it must run as another user, which is not allowed here: %w", first)
	}
	return nil
}

func (l *launcher) askVersion(ctx context.Context) error {
	out, err := l.run(ctx, "postgres", "--version")
	l.version = out
	return err
}

// refused reports whether this process may not become the other user, or that user cannot reach the binary.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL)
}

// run runs one of the programs and returns its output, which its error also has.
func (l *launcher) run(ctx context.Context, name string, args ...string) (string, error) {
	return l.runFile(ctx, program(l.bin, name), args...)
}

// runFile is run for a program of another directory.
func (l *launcher) runFile(ctx context.Context, file string, args ...string) (string, error) {
	// The parent's thread must live as long as the child, see process.go.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := helper(ctx, l.as, file, args...)
	cmd.Dir, cmd.Env = string(filepath.Separator), environ(l.as)
	cmd.WaitDelay = time.Second // its own children may hold the output open
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s: %w%s", filepath.Base(file), err, indent(text))
	}
	return text, nil
}

// sockets says whether there are Unix sockets, whose directory keeps others out.
const sockets = runtime.GOOS != "windows"

// environ leaves out the variables that would reconfigure a private server, and makes messages English. Another user,
// who can read the environment, gets only what programs need to run.
func environ(as account) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		needed := slices.Contains([]string{"PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}, name)
		if !strings.HasPrefix(v, "PG") && name != "LC_ALL" && (needed || !as.other) {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C")
}

// indent returns the last lines of a program's output for the end of an error, without control characters: another
// user's program may have written them.
func indent(text string) string {
	const most = 15
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	text = ""
	for _, line := range lines[max(0, len(lines)-most):] {
		text += "\n\t" + catalog.Line(line)
	}
	return text
}
