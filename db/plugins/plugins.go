// Package plugins has the tables and columns of Better Auth's plugins, for tests that play the application:
// authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables). In production they are the application's own to make.
package plugins

import _ "embed"

// Admin and TwoFactor are columns of user and session, Tables those of API keys, dynamic access control, the second
// factor and JWT, as Better Auth 1.7.25 makes them. APIKeys14 is the table of API keys before 1.5, without the others.
var (
	//go:embed admin.sql
	Admin string
	//go:embed two_factor.sql
	TwoFactor string
	//go:embed tables.sql
	Tables string
	//go:embed api_key_1_4.sql
	APIKeys14 string
)
