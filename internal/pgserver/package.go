package pgserver

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// The download is a package of the npm registry, which holds initdb and postgres for each platform.
const (
	registry        = "https://registry.npmjs.org"
	packageVersion  = "18.4.0-beta.17"
	downloadVersion = "18.4"
	packedLimit     = 128 << 20
	unpackedLimit   = 512 << 20
)

// npmPackage is pinned by the sha512 of its tarball, in base64 as npm prints it.
type npmPackage struct{ platform, sha512 string }

var packages = map[string]npmPackage{
	"linux/amd64": {
		"linux-x64",
		"jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
	},
	"linux/arm64": {
		"linux-arm64",
		"TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
	},
	"darwin/amd64": {
		"darwin-x64",
		"4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
	},
	"darwin/arm64": {
		"darwin-arm64",
		"Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
	},
	"windows/amd64": {
		"windows-x64",
		"AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg==",
	},
}

func thisPackage() (npmPackage, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	p, ok := packages[platform]
	if !ok {
		return p, fmt.Errorf("there is no package for %s", platform)
	}
	return p, nil
}

func (p npmPackage) dirName() string { return "postgresql-" + packageVersion + "-" + p.platform }

// url names the tarball, in the registry that npm itself would use.
func (p npmPackage) url() string {
	base := registry
	for _, name := range []string{"NPM_CONFIG_REGISTRY", "npm_config_registry"} {
		if v := os.Getenv(name); v != "" {
			base = v
		}
	}
	return fmt.Sprintf("%s/@embedded-postgres/%s/-/%[2]s-%s.tgz", strings.TrimRight(base, "/"), p.platform, packageVersion)
}
