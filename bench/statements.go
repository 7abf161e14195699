package main

// The SQL of who writes it by hand.
const (
	userColumns    = "u.id, u.name, u.email, u.email_verified, u.image, u.created_at, u.updated_at"
	sessionColumns = `s.id, s.expires_at, s.token, s.created_at, s.updated_at, s.ip_address, s.user_agent, s.user_id,
		s.active_organization_id, s.active_team_id`
	accountColumns = `a.id, a.account_id, a.provider_id, a.user_id, a.access_token, a.refresh_token, a.id_token,
		a.access_token_expires_at, a.refresh_token_expires_at, a.scope, a.password, a.created_at, a.updated_at`
	organizationColumns = "o.id, o.name, o.slug, o.logo, o.created_at, o.metadata"
	memberColumns       = "m.id, m.organization_id, m.user_id, m.role, m.created_at"
	teamColumns         = "t.id, t.name, t.organization_id, t.created_at, t.updated_at, t.member_count"
	teamMemberColumns   = "tm.id, tm.team_id, tm.user_id, tm.created_at, tm.membership_key"
	invitationColumns   = `i.id, i.organization_id, i.email, i.role, i.team_id, i.status, i.expires_at, i.created_at,
		i.inviter_id`

	selectUser      = "SELECT " + userColumns + ` FROM "user" u WHERE u.id = $1`
	selectUserEmail = "SELECT " + userColumns + ` FROM "user" u WHERE u.email = $1`
	selectSessions  = "SELECT " + sessionColumns + " FROM session s WHERE s.user_id = $1 ORDER BY s.created_at, s.id"
	selectAccounts  = "SELECT " + accountColumns + " FROM account a WHERE a.user_id = $1 ORDER BY a.created_at, a.id"

	selectMembersOfUser = "SELECT " + memberColumns + ", " + organizationColumns + ` FROM member m
		JOIN organization o ON o.id = m.organization_id WHERE m.user_id = $1 ORDER BY m.created_at, m.id`
	selectTeamMembersOfUser = "SELECT " + teamMemberColumns + ", " + teamColumns + ` FROM team_member tm
		JOIN team t ON t.id = tm.team_id WHERE tm.user_id = $1 ORDER BY tm.created_at, tm.id`
	selectInvitationsOfInviter = "SELECT " + invitationColumns + ", " + organizationColumns + ` FROM invitation i
		JOIN organization o ON o.id = i.organization_id WHERE i.inviter_id = $1 ORDER BY i.created_at, i.id`

	selectOrganization = "SELECT " + organizationColumns + " FROM organization o WHERE o.id = $1"
	selectMembers      = "SELECT " + memberColumns + ", " + userColumns + ` FROM member m
		JOIN "user" u ON u.id = m.user_id WHERE m.organization_id = $1 ORDER BY m.created_at, m.id`
	selectTeams       = "SELECT " + teamColumns + " FROM team t WHERE t.organization_id = $1 ORDER BY t.created_at, t.id"
	selectTeamMembers = "SELECT " + teamMemberColumns + ", " + userColumns + ` FROM team t
		JOIN team_member tm ON tm.team_id = t.id JOIN "user" u ON u.id = tm.user_id
		WHERE t.organization_id = $1 ORDER BY tm.created_at, tm.id`
	selectInvitations = "SELECT " + invitationColumns + ", " + userColumns + ` FROM invitation i
		JOIN "user" u ON u.id = i.inviter_id WHERE i.organization_id = $1 ORDER BY i.created_at, i.id`

	selectAuthenticated = "SELECT " + sessionColumns + ", " + userColumns + `, m.id, m.role, m.created_at,
		t.id, t.name, t.created_at, t.updated_at, t.member_count
		FROM session s
		JOIN "user" u ON u.id = s.user_id
		LEFT JOIN member m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id
		LEFT JOIN team_member tm ON tm.team_id = s.active_team_id AND tm.user_id = m.user_id
		LEFT JOIN team t ON t.id = tm.team_id AND t.organization_id = m.organization_id
		WHERE s.token = $1 AND s.expires_at > $2`
	selectPage = "SELECT " + memberColumns + ", " + userColumns + ` FROM member m JOIN "user" u ON u.id = m.user_id
		WHERE m.organization_id = $1 AND (m.created_at, m.id) > ($2, $3) ORDER BY m.created_at, m.id LIMIT $4`

	insertSession = `INSERT INTO session AS s (id, expires_at, token, created_at, updated_at, ip_address, user_agent,
		user_id) VALUES ($1, $2, $3, $4, $4, $5, $6, $7) RETURNING ` + sessionColumns
	insertOrganization = `INSERT INTO organization AS o (id, name, slug, created_at) VALUES ($1, $2, $3, $4)
		RETURNING ` + organizationColumns
	insertMember = `INSERT INTO member AS m (id, organization_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, $5)
		RETURNING ` + memberColumns
	claimInvitation = `UPDATE invitation i SET status = 'accepted' FROM "user" u
		WHERE i.id = $1 AND u.id = $2 AND u.email = i.email AND u.email_verified
			AND i.status = 'pending' AND i.expires_at > $3
		RETURNING ` + invitationColumns
	insertTeamMember = `INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
		VALUES ($1, $2, $3, $4, $5)`
	countSeat        = "UPDATE team SET member_count = member_count + 1, updated_at = $2 WHERE id = $1"
	lockOrganization = "SELECT id FROM organization WHERE id = $1 FOR NO KEY UPDATE"
	updateRole       = `UPDATE member m SET role = $3 WHERE m.id = $1 AND m.organization_id = $2
		AND ($3 = 'owner' OR m.role <> 'owner' OR EXISTS (
			SELECT 1 FROM member o WHERE o.organization_id = $2 AND o.id <> $1 AND o.role = 'owner'))
		RETURNING ` + memberColumns
	lockOrganizationsOfUser = `SELECT id FROM organization
		WHERE id IN (SELECT organization_id FROM member WHERE user_id = $1) ORDER BY id FOR NO KEY UPDATE`
	ownsAlone = `SELECT EXISTS (SELECT 1 FROM member m WHERE m.user_id = $1 AND m.role = 'owner' AND NOT EXISTS (
		SELECT 1 FROM member o WHERE o.organization_id = m.organization_id AND o.user_id <> $1 AND o.role = 'owner'))`
	freeSeats = `UPDATE team SET member_count = member_count - 1, updated_at = $2
		WHERE id IN (SELECT team_id FROM team_member WHERE user_id = $1)`
	cancelInvitations = `UPDATE invitation i SET status = 'canceled' FROM "user" u
		WHERE u.id = $1 AND i.email = u.email AND i.status = 'pending'
			AND i.organization_id IN (SELECT m.organization_id FROM member m WHERE m.user_id = $1)`
	deleteUser     = `DELETE FROM "user" WHERE id = $1`
	insertSessions = `INSERT INTO session (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id)
		SELECT id, $3, token, $4, $4, $5, $6, $7 FROM unnest($1::text[], $2::text[]) new (id, token)`
	deleteExpired = `DELETE FROM session WHERE id IN (
		SELECT s.id FROM session s WHERE s.expires_at <= $1 ORDER BY s.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`
)
