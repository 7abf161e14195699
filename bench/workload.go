package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// input is what one operation works on. A workload uses the fields that it needs.
type input struct {
	Token          string    `db:"token" json:"token"`
	UserID         string    `db:"user_id" json:"userId"`
	Email          string    `db:"email" json:"email"`
	OrganizationID string    `db:"organization_id" json:"organizationId"`
	MemberID       string    `db:"member_id" json:"memberId"`
	InvitationID   string    `db:"invitation_id" json:"invitationId"`
	Slug           string    `db:"slug" json:"slug"`
	AfterCreatedAt time.Time `db:"after_created_at" json:"afterCreatedAt"`
	AfterID        string    `db:"after_id" json:"afterId"`
	Limit          int       `db:"row_limit" json:"limit"`

	look bool // keep the rows
	rows any
}

// show keeps the rows of an operation where they are to be compared.
func show[T any](in *input, rows T, err error) error {
	if in.look && err == nil {
		in.rows = rows
	}
	return err
}

// workload is an operation that all contenders do.
type workload struct {
	name  string
	op    string // the name of do
	do    func(jobs, context.Context, *input) error
	about string // what every contender has to do
	// inputs is a query for existing rows, $1 of them. Or, where the operation changes something, fresh makes $1 new
	// ones, whose ids begin with $2, and state tells what is in the database afterwards of a user ($1) and an
	// organization ($2), in words that are the same for all contenders.
	inputs, fresh, state string
	n                    int  // so many operations in a phase, or at most
	once                 bool // takes long: warmed up by one
}

func (w *workload) writes() bool { return w.fresh != "" }

// least is how many operations a phase has, however long they take.
func (w *workload) least() int {
	if w.once {
		return 1
	}
	return 3
}

const (
	freshUsers = `INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
		SELECT $2 || 'u' || i, 'New', $2 || 'u' || i || '@example.com', true, timestamp '2026-01-01', timestamp '2026-01-01'
		FROM generate_series(1, $1) i RETURNING id user_id, email, $2 || 'slug' || substr(id, length($2) + 2) slug`
	// An organization of two owners and a team of one for each, and a user u who is no member yet.
	freshOrganizations = `WITH n AS (SELECT i, $2 || 'o' || i org, $2 || 't' || i team FROM generate_series(1, $1) i),
		users AS (INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
			SELECT $2 || kind || i, 'New', $2 || kind || i || '@example.com', true, timestamp '2026-01-01',
				timestamp '2026-01-01' FROM n, (VALUES ('u'), ('v'), ('w')) k (kind)),
		orgs AS (INSERT INTO organization (id, name, slug, created_at)
			SELECT org, 'New', org, timestamp '2026-01-01' FROM n),
		teams AS (INSERT INTO team (id, name, organization_id, created_at, updated_at, member_count)
			SELECT team, 'New', org, timestamp '2026-01-01', timestamp '2026-01-01', 1 FROM n),
		owners AS (INSERT INTO member (id, organization_id, user_id, role, created_at)
			SELECT $2 || 'm' || kind || i, org, $2 || kind || i, 'owner', timestamp '2026-01-01'
			FROM n, (VALUES ('v'), ('w')) k (kind)),
		seats AS (INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
			SELECT $2 || 's' || i, team, $2 || 'v' || i, timestamp '2026-01-01', $2 || 'k' || i FROM n)`
	// Whatever was made, by the workload or for it. Every organization has an owner among the users.
	clean = `DELETE FROM organization WHERE id IN (
			SELECT organization_id FROM member WHERE user_id >= 'bench-' AND user_id < 'bench.');
		DELETE FROM "user" WHERE id >= 'bench-' AND id < 'bench.'`
	membersAfter = `SELECT organization_id, created_at after_created_at, id after_id, 50 row_limit FROM member
		WHERE organization_id = 'org-15000-1' AND $1 > 0 ORDER BY created_at, id LIMIT 1 OFFSET `
)

func fanOut(rows int) *workload {
	return &workload{
		name: fmt.Sprintf("user with relations, %d rows each", rows), op: "userFull", do: jobs.userFull,
		about: "by id, with sessions, accounts, members and their organizations, team members and their teams, " +
			"invitations sent and their organizations",
		inputs: fmt.Sprintf(`SELECT id user_id FROM "user" WHERE id LIKE 'fan-%d-%%' ORDER BY md5(id) LIMIT $1`, rows),
		n:      50,
	}
}

func full(members int) *workload {
	return &workload{
		name: fmt.Sprintf("organization with %d members", members), op: "organizationFull", do: jobs.organizationFull,
		about: "by id, with members and users, teams, their members and users, invitations and inviters",
		inputs: fmt.Sprintf(
			`SELECT id organization_id FROM organization WHERE id LIKE 'org-%d-%%' ORDER BY md5(id) LIMIT $1`, members),
		n: 50, once: members > 100,
	}
}

func workloads(bulk, sessions int) []*workload {
	return []*workload{
		{
			name: "authenticate", op: "authenticate", do: jobs.authenticate,
			about: "session by token, not expired, with user, member of the active organization, and active team if the user " +
				"is in it",
			inputs: `SELECT token FROM session WHERE active_team_id IS NOT NULL ORDER BY md5(id) LIMIT $1`, n: 2000,
		},
		{
			name: "user by id", op: "userByID", do: jobs.userByID,
			about:  "one row",
			inputs: `SELECT id user_id FROM "user" WHERE id NOT LIKE 'fan-%' ORDER BY md5(id) LIMIT $1`, n: 2000,
		},
		{
			name: "user by e-mail", op: "userByEmail", do: jobs.userByEmail,
			about:  "one row",
			inputs: `SELECT email FROM "user" WHERE id NOT LIKE 'fan-%' ORDER BY md5(email) LIMIT $1`, n: 2000,
		},
		fanOut(2), fanOut(5), fanOut(20), full(20), full(1000),
		{
			name: "first page", op: "page", do: jobs.page,
			about: "the first 50 of 15,000 members by created_at and id, with users",
			inputs: `SELECT 'org-15000-1' organization_id, timestamp '0001-01-01' after_created_at, '' after_id, 50 row_limit
				FROM generate_series(1, 1) i WHERE $1 > 0`, n: 1,
		},
		{
			name: "page at depth 10,000", op: "page", do: jobs.page,
			about:  "the 50 members after the first 10,000, with users",
			inputs: membersAfter + "9999", n: 1,
		},
		{
			name: "create session", op: "createSession", do: jobs.createSession,
			about: "with id and token, for seven days; the row is returned",
			fresh: freshUsers, n: 20,
			state: `SELECT count(*) || ' ' || bool_and(length(token) >= 24 AND expires_at - created_at = interval '7 days'
					AND created_at > (now() AT TIME ZONE 'utc') - interval '1 min') || ' ' || max(ip_address || user_agent)
				FROM session WHERE user_id = $1 AND $2 <> '-'`,
		},
		{
			name: "create organization", op: "createOrganization", do: jobs.createOrganization,
			about: "and its owner's membership, both or neither; the row is returned",
			fresh: freshUsers, n: 20,
			state: `SELECT string_agg(concat_ws(' ', o.name, o.slug LIKE 'bench-%', m.role, o.created_at = m.created_at), ',')
				FROM member m JOIN organization o ON o.id = m.organization_id WHERE m.user_id = $1 AND $2 <> '-'`,
		},
		{
			name: "accept invitation", op: "acceptInvitation", do: jobs.acceptInvitation,
			about: "if it is pending, not expired, and sent to the user's address, which is verified: member, seat in its " +
				"team, the team's count, status; all or nothing, and once, however many accept at the same time; " +
				"invitation and member are returned",
			fresh: freshOrganizations + `,
				sent AS (INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, created_at,
						inviter_id)
					SELECT $2 || 'i' || i, org, $2 || 'u' || i || '@example.com', 'admin', team, 'pending', '2100-01-01',
						timestamp '2026-01-01', $2 || 'v' || i FROM n)
				SELECT org organization_id, $2 || 'u' || i user_id, $2 || 'i' || i invitation_id FROM n`,
			n: 20,
			state: `SELECT concat_ws(' ', (SELECT status FROM invitation WHERE organization_id = $2),
					(SELECT role FROM member WHERE organization_id = $2 AND user_id = $1),
					(SELECT count(*) FROM team_member tm JOIN team t ON t.id = tm.team_id
						WHERE t.organization_id = $2 AND tm.user_id = $1 AND length(tm.membership_key) = 43),
					(SELECT member_count FROM team WHERE organization_id = $2))`,
		},
		{
			name: "change role", op: "changeRole", do: jobs.changeRole,
			about: "of an owner, to admin, if another owner stays, also when both are changed at the same time; " +
				"the row is returned",
			fresh: freshOrganizations + ` SELECT org organization_id, $2 || 'mv' || i member_id, $2 || 'v' || i user_id FROM n`,
			n:     20,
			state: `SELECT string_agg(role, ' ' ORDER BY role) FROM member WHERE organization_id = $2 AND $1 <> '-'`,
		},
		{
			name: "delete user", op: "deleteUser", do: jobs.deleteUser,
			about: "with what belongs to it, unless it is the only owner of an organization; the counts of its teams " +
				"follow, pending invitations of its address to its organizations are canceled, and the ended sessions are " +
				"returned",
			fresh: freshOrganizations + `,
				member AS (INSERT INTO member (id, organization_id, user_id, role, created_at)
					SELECT $2 || 'mu' || i, org, $2 || 'u' || i, 'member', timestamp '2026-01-01' FROM n),
				seat AS (INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
					SELECT $2 || 'su' || i, team, $2 || 'u' || i, timestamp '2026-01-01', $2 || 'ku' || i FROM n),
				counted AS (UPDATE team SET member_count = 2 WHERE id IN (SELECT team FROM n)),
				session AS (INSERT INTO session (id, expires_at, token, created_at, updated_at, user_id)
					SELECT $2 || 'e' || i || '-' || j, '2100-01-01', $2 || 'token' || i || '-' || j, timestamp '2026-01-01',
						timestamp '2026-01-01', $2 || 'u' || i FROM n, generate_series(1, 2) j),
				account AS (INSERT INTO account (id, account_id, provider_id, user_id, created_at, updated_at)
					SELECT $2 || 'a' || i || '-' || j, $2 || 'a' || i || '-' || j, 'provider', $2 || 'u' || i, timestamp '2026-01-01',
						timestamp '2026-01-01' FROM n, generate_series(1, 2) j),
				sent AS (INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
					SELECT $2 || 'i' || kind || i, org, $2 || 'u' || i || '@example.com', 'member', 'pending', '2100-01-01',
						timestamp '2026-01-01', $2 || kind || i FROM n, (VALUES ('u'), ('v')) k (kind))
				SELECT org organization_id, $2 || 'u' || i user_id FROM n`,
			n: 10,
			state: `SELECT concat_ws(' ', (SELECT count(*) FROM "user" WHERE id = $1),
					(SELECT count(*) FROM session WHERE user_id = $1), (SELECT count(*) FROM account WHERE user_id = $1),
					(SELECT count(*) FROM member WHERE organization_id = $2),
					(SELECT member_count FROM team WHERE organization_id = $2),
					(SELECT string_agg(status, ' ') FROM invitation WHERE organization_id = $2))`,
		},
		{
			name: fmt.Sprintf("create %d sessions", bulk), op: "createSessions", do: jobs.createSessions,
			about: "all or none, with ids and tokens, and with all their indexes",
			fresh: fmt.Sprintf(`WITH u AS (%s) SELECT user_id, %d row_limit FROM u`, freshUsers, bulk),
			n:     1, once: true,
			state: `SELECT count(*) || ' ' || count(DISTINCT token) || ' ' || count(DISTINCT id) || ' ' ||
					max(expires_at - created_at) FROM session WHERE user_id = $1 AND $2 <> '-'`,
		},
		{
			name: "purge 1000", op: "purge", do: jobs.purge,
			about: fmt.Sprintf("expired sessions, oldest first, among %d; their number is returned", sessions),
			fresh: `WITH owner AS (INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)
					VALUES ($2 || 'u1', 'New', $2 || '@example.com', true, timestamp '2026-01-01', timestamp '2026-01-01')
					RETURNING id),
				due AS (INSERT INTO session (id, expires_at, token, created_at, updated_at, user_id)
					SELECT $2 || i, timestamp '2026-01-01' + i * interval '1 s', $2 || 'token' || i, timestamp '2025-12-01',
						timestamp '2025-12-01', owner.id FROM owner, generate_series(1, 1000 * $1) i)
				SELECT $2 || 'u1' user_id, 1000 row_limit FROM generate_series(1, $1)`,
			n: 3, once: true,
			state: `SELECT count(*)::text FROM session WHERE user_id = $1 AND $2 <> '-'`,
		},
	}
}

// take returns n inputs of a workload; serial tells those of this call from all others that are made.
func (w *workload) take(ctx context.Context, conn *pgx.Conn, n, serial int) ([]*input, error) {
	sql, args := w.inputs, []any{n}
	if w.writes() {
		sql, args = w.fresh, append(args, fmt.Sprintf("bench-%d-", serial))
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("inputs of %s: %w", w.name, err)
	}
	ins, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[input])
	if err == nil && len(ins) == 0 {
		err = fmt.Errorf("no inputs of %s", w.name)
	}
	return ins, err
}
