//go:build !unix || aix || solaris

package pgserver

import (
	"os"
	"runtime"
)

// markInUse does nothing: Windows renames no open file.
func markInUse(*os.File) error { return nil }

func inUse(f *os.File) bool {
	_ = f.Close()
	return runtime.GOOS != "windows" || os.Rename(f.Name(), f.Name()+".old") != nil
}
