package pgserver

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// The download is a package of the npm registry, which holds initdb and postgres for each platform.
const (
	registry       = "https://registry.npmjs.org"
	release        = "-beta.17"
	defaultVersion = "18.4"
	packedLimit    = 128 << 20
	unpackedLimit  = 512 << 20
)

// npmPackage is pinned by the sha512 of its tarball, in base64 as npm prints it.
type npmPackage struct{ version, platform, sha512 string }

var packages = map[string]npmPackage{
	"linux/amd64": {
		defaultVersion, "linux-x64",
		"jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
	},
	"linux/arm64": {
		defaultVersion, "linux-arm64",
		"TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
	},
	"darwin/amd64": {
		defaultVersion, "darwin-x64",
		"4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
	},
	"darwin/arm64": {
		defaultVersion, "darwin-arm64",
		"Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
	},
	"windows/amd64": {
		defaultVersion, "windows-x64",
		"AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg==",
	},
	// For make test/matrix, by AUTHDB_POSTGRES=download-14 and its like.
	"linux/amd64-14": {
		"14.23", "linux-x64",
		"WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
	},
	"linux/amd64-16": {
		"16.14", "linux-x64",
		"8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
	},
	"linux/amd64-17": {
		"17.10", "linux-x64",
		"hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
	},
}

// thisPackage is the package for this platform; major is empty for the newest version, or like "-14".
func thisPackage(major string) (npmPackage, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH + major
	p, ok := packages[platform]
	if !ok {
		return p, fmt.Errorf("there is no package for %s", platform)
	}
	return p, nil
}

func (p npmPackage) dirName() string { return "postgresql-" + p.version + "-" + p.platform }

// url names the tarball, in the registry that npm itself would use.
func (p npmPackage) url() string {
	base := registry
	for _, name := range []string{"NPM_CONFIG_REGISTRY", "npm_config_registry"} {
		if v := os.Getenv(name); v != "" {
			base = v
		}
	}
	return fmt.Sprintf("%s/@embedded-postgres/%s/-/%[2]s-%s.0%s.tgz", strings.TrimRight(base, "/"), p.platform, p.version, release)
}
