//go:build race

package betterauth_test

func init() { everyHash = 8 } // each takes a second under the race detector
