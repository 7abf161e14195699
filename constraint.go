package authdb

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/repo"
)

// rule is what a violated constraint means to a caller.
type rule struct {
	kind  error
	field string
}

// rules by constraint name. drizzle-kit 0.31 and 1.0 end the same names differently, and a database may come from
// either.
var rules = func() map[string]rule {
	m := map[string]rule{}
	for _, table := range []string{
		"user", "session", "account", "verification", "organization", "team", "member",
		"team_member", "invitation",
	} {
		m[table+"_pkey"] = rule{ErrConflict, "id"}
	}
	for name, r := range map[string]rule{
		"user_email":        {ErrEmailTaken, "email"},
		"session_token":     {ErrConflict, "token"},
		"organization_slug": {ErrSlugTaken, "slug"},
	} {
		m[name+"_unique"], m[name+"_key"] = r, r
	}
	m["member_organizationId_userId_uidx"] = rule{ErrAlreadyMember, "user_id"}
	m["teamMember_teamId_userId_uidx"] = rule{ErrConflict, "user_id"}
	m["team_member_membership_key_unique"] = rule{ErrConflict, "membership_key"}
	m["account_providerId_accountId_uidx"] = rule{ErrAccountTaken, "account_id"}
	// The slug's second unique index; PostgreSQL reports the one that was made first.
	m["organization_slug_uidx"] = rule{ErrSlugTaken, "slug"}
	for name, field := range map[string]string{
		"session_user_id_user_id":                    "user_id",
		"account_user_id_user_id":                    "user_id",
		"team_organization_id_organization_id":       "organization_id",
		"member_organization_id_organization_id":     "organization_id",
		"member_user_id_user_id":                     "user_id",
		"team_member_team_id_team_id":                "team_id",
		"team_member_user_id_user_id":                "user_id",
		"invitation_organization_id_organization_id": "organization_id",
		"invitation_inviter_id_user_id":              "inviter_id",
	} {
		m[name+"_fk"], m[name+"_fkey"] = rule{ErrReference, field}, rule{ErrReference, field}
	}
	return m
}()

// ruleOf finds the rule by the constraint's name. If it is unknown, the SQLSTATE alone decides.
func ruleOf(err *pgconn.PgError) rule {
	name := err.ConstraintName
	if key, isPart := strings.CutPrefix(name, "session_parts_"); isPart { // PostgreSQL names keys of partitions
		_, key, _ = strings.Cut(key, "_")
		name = "session_" + key
	}
	r, ok := rules[name]
	if err.ConstraintName == "" {
		r, ok = ruleIn(err, `"`)
	}
	switch {
	case ok:
		return r
	case err.Code == repo.ForeignKeyViolation:
		return rule{kind: ErrReference}
	}
	return rule{kind: ErrConflict}
}

// ruleIn finds the rule by a name after the text behind in an error's message: Citus leaves the field for the
// constraint empty and writes the name there, with the number of the shard after it.
func ruleIn(err *pgconn.PgError, behind string) (r rule, ok bool) {
	longest := 0
	for name, known := range rules {
		if len(name) > longest && strings.Contains(err.Message, behind+name) {
			r, ok, longest = known, true, len(name)
		}
	}
	return r, ok
}
