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

// LogValue logs the id of the user alone.
func (u VerifiedUser) LogValue() slog.Value { return logRow(u.User.ID) }

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

// LogValue logs the ids of the session and its user.
func (a Authentication) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("session", a.Session), slog.Any("user", a.User))
}

// Params that hold a secret print and log as their type's name alone.

// Format prints the name of the type, whatever the verb.
func (p CreateAccountParams) Format(f fmt.State, _ rune) { printParams(f, "CreateAccountParams") }

// LogValue logs the name of the type.
func (p CreateAccountParams) LogValue() slog.Value { return logParams("CreateAccountParams") }

// Format prints the name of the type, whatever the verb.
func (p CreateVerificationParams) Format(f fmt.State, _ rune) {
	printParams(f, "CreateVerificationParams")
}

// LogValue logs the name of the type.
func (p CreateVerificationParams) LogValue() slog.Value { return logParams("CreateVerificationParams") }

// Format prints the name of the type, whatever the verb.
func (p UpdateVerificationParams) Format(f fmt.State, _ rune) {
	printParams(f, "UpdateVerificationParams")
}

// LogValue logs the name of the type.
func (p UpdateVerificationParams) LogValue() slog.Value { return logParams("UpdateVerificationParams") }

// Format prints the name of the type, whatever the verb.
func (p ConsumeCodeParams) Format(f fmt.State, _ rune) { printParams(f, "ConsumeCodeParams") }

// LogValue logs the name of the type.
func (p ConsumeCodeParams) LogValue() slog.Value { return logParams("ConsumeCodeParams") }

// Format prints the name of the type, whatever the verb.
func (p ListVerificationsParams) Format(f fmt.State, _ rune) {
	printParams(f, "ListVerificationsParams")
}

// LogValue logs the name of the type.
func (p ListVerificationsParams) LogValue() slog.Value { return logParams("ListVerificationsParams") }

// Format prints the name of the type, whatever the verb.
func (p RefreshSessionParams) Format(f fmt.State, _ rune) { printParams(f, "RefreshSessionParams") }

// LogValue logs the name of the type.
func (p RefreshSessionParams) LogValue() slog.Value { return logParams("RefreshSessionParams") }

// Format prints the name of the type, whatever the verb.
func (p SetActiveOrganizationParams) Format(f fmt.State, _ rune) {
	printParams(f, "SetActiveOrganizationParams")
}

// LogValue logs the name of the type.
func (p SetActiveOrganizationParams) LogValue() slog.Value {
	return logParams("SetActiveOrganizationParams")
}

// Format prints the name of the type, whatever the verb.
func (p SetActiveTeamParams) Format(f fmt.State, _ rune) { printParams(f, "SetActiveTeamParams") }

// LogValue logs the name of the type.
func (p SetActiveTeamParams) LogValue() slog.Value { return logParams("SetActiveTeamParams") }

func printParams(w io.Writer, name string) { _, _ = io.WriteString(w, name+"{…}") }

func logParams(name string) slog.Value { return slog.StringValue(name + "{…}") }

func printRow(w io.Writer, table, id string) { _, _ = fmt.Fprintf(w, "%s{ID:%s}", table, id) }

func logRow(id string) slog.Value { return slog.GroupValue(slog.String("id", id)) }
