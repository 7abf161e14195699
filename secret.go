package authdb

import "github.com/zerostarter/authdb/secret"

// Secret is a text that nothing prints, logs or encodes; string(s) is its value. See [secret.Text] for exceptions.
type Secret = secret.Text

func plain(s Secret) string { return string(s) }
