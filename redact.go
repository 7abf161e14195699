package authdb

import (
	"fmt"
	"io"
	"log/slog"
)

// Rows that hold an e-mail address or a secret print and log as their table and id alone, by themselves and in a struct
// whose field for them is exported. Their fields stay readable one by one. JSON, which is also what slog's JSON handler
// makes of a slice or map of rows, leaves out the secrets (tokens, password, value), not the address.

// Format prints the table and id, whatever the verb.
func (u User) Format(f fmt.State, _ rune) { printRow(f, "User", u.ID) }

// LogValue logs the id alone.
func (u User) LogValue() slog.Value { return logRow(u.ID) }

// Format prints the table and id, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { printRow(f, "Session", s.ID) }

// LogValue logs the id alone.
func (s Session) LogValue() slog.Value { return logRow(s.ID) }

// Format prints the table and id, whatever the verb.
func (a Account) Format(f fmt.State, _ rune) { printRow(f, "Account", a.ID) }

// LogValue logs the id alone.
func (a Account) LogValue() slog.Value { return logRow(a.ID) }

// Format prints the table and id, whatever the verb.
func (v Verification) Format(f fmt.State, _ rune) { printRow(f, "Verification", v.ID) }

// LogValue logs the id alone.
func (v Verification) LogValue() slog.Value { return logRow(v.ID) }

// Format prints the table and id, whatever the verb.
func (i Invitation) Format(f fmt.State, _ rune) { printRow(f, "Invitation", i.ID) }

// LogValue logs the id alone.
func (i Invitation) LogValue() slog.Value { return logRow(i.ID) }

// LogValue logs the id of the member alone.
func (m MemberWithUser) LogValue() slog.Value { return logRow(m.ID) }

// LogValue logs the id of the team member alone.
func (m TeamMemberWithUser) LogValue() slog.Value { return logRow(m.ID) }

// LogValue logs the id of the member alone.
func (m MemberWithRelations) LogValue() slog.Value { return logRow(m.ID) }

// LogValue logs the id of the team member alone.
func (m TeamMemberWithRelations) LogValue() slog.Value { return logRow(m.ID) }

// LogValue logs the id of the team alone.
func (t TeamWithRelations) LogValue() slog.Value { return logRow(t.ID) }

// LogValue logs the id of the organization alone.
func (o OrganizationWithRelations) LogValue() slog.Value { return logRow(o.ID) }

func printRow(w io.Writer, table, id string) { _, _ = fmt.Fprintf(w, "%s{ID:%s}", table, id) }

func logRow(id string) slog.Value { return slog.GroupValue(slog.String("id", id)) }
