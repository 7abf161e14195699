package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// cacheDir is where downloads and clusters are kept between runs. What is there is executed, so nobody else may write
// there. Root's is outside of its home, which the server's user cannot enter.
func cacheDir() (string, error) {
	dir := "/var/tmp/authdb-postgres"
	if os.Geteuid() != 0 {
		user, err := os.UserCacheDir()
		dir = filepath.Join(user, "authdb")
		if err != nil || os.MkdirAll(dir, 0o755) != nil { // a container may have no home, or another user's
			dir = filepath.Join(os.TempDir(), "authdb-cache-"+strconv.Itoa(os.Geteuid()))
		}
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	foreign := !info.IsDir() || owner(info) != os.Geteuid()
	if foreign || (runtime.GOOS != "windows" && info.Mode()&0o022 != 0) {
		return "", fmt.Errorf("%s: not a directory that belongs to this user alone", dir)
	}
	if os.Geteuid() == 0 {
		return dir, os.Chmod(dir, 0o755) // the umask may have removed bits
	}
	return dir, nil
}
