//go:build unix && !aix && !solaris

package pgserver

import (
	"os"
	"syscall"
)

// markInUse locks a file for as long as this process, or one that inherits it, has it open.
func markInUse(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) }

func inUse(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
