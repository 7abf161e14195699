package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// The rows as somebody without a library declares them.
type (
	userRow struct {
		ID, Name, Email      string
		EmailVerified        bool
		Image                *string
		CreatedAt, UpdatedAt time.Time
	}
	sessionRow struct {
		ID                                 string
		ExpiresAt                          time.Time
		Token                              string
		CreatedAt, UpdatedAt               time.Time
		IPAddress, UserAgent               *string
		UserID                             string
		ActiveOrganizationID, ActiveTeamID *string
	}
	accountRow struct {
		ID, AccountID, ProviderID, UserID           string
		AccessToken, RefreshToken, IDToken          *string
		AccessTokenExpiresAt, RefreshTokenExpiresAt *time.Time
		Scope, Password                             *string
		CreatedAt, UpdatedAt                        time.Time
	}
	organizationRow struct {
		ID, Name, Slug string
		Logo           *string
		CreatedAt      time.Time
		Metadata       *string
	}
	memberRow struct {
		ID, OrganizationID, UserID, Role string
		CreatedAt                        time.Time
	}
	teamRow struct {
		ID, Name, OrganizationID string
		CreatedAt                time.Time
		UpdatedAt                *time.Time
		MemberCount              int32
	}
	teamMemberRow struct {
		ID, TeamID, UserID string
		CreatedAt          *time.Time
		MembershipKey      *string
	}
	invitationRow struct {
		ID, OrganizationID, Email string
		Role, TeamID              *string
		Status                    string
		ExpiresAt, CreatedAt      time.Time
		InviterID                 string
	}

	memberUser struct {
		memberRow
		userRow
	}
	memberOrganization struct {
		memberRow
		organizationRow
	}
	teamMemberUser struct {
		teamMemberRow
		userRow
	}
	teamMemberTeam struct {
		teamMemberRow
		teamRow
	}
	invitationUser struct {
		invitationRow
		userRow
	}
	invitationOrganization struct {
		invitationRow
		organizationRow
	}
	invitationMember struct {
		invitationRow
		memberRow
	}

	// authenticated is a session with its user, and with member and team where there are.
	authenticated struct {
		sessionRow
		userRow
		MemberID, MemberRole         *string
		MemberCreatedAt              *time.Time
		TeamID, TeamName             *string
		TeamCreatedAt, TeamUpdatedAt *time.Time
		TeamMemberCount              *int32
	}

	userGraph struct {
		User        userRow
		Sessions    []sessionRow
		Accounts    []accountRow
		Members     []memberOrganization
		TeamMembers []teamMemberTeam
		Invitations []invitationOrganization
	}
	organizationGraph struct {
		Organization organizationRow
		Members      []memberUser
		Teams        []teamRow
		TeamMembers  []teamMemberUser
		Invitations  []invitationUser
	}
)

func (a authenticated) compared() any {
	rows := []any{a.sessionRow, a.userRow}
	if a.MemberID != nil {
		rows = append(rows, memberRow{*a.MemberID, *a.ActiveOrganizationID, a.userRow.ID, *a.MemberRole, *a.MemberCreatedAt})
	}
	if a.TeamID != nil {
		rows = append(rows, teamRow{
			*a.TeamID, *a.TeamName, *a.ActiveOrganizationID, *a.TeamCreatedAt, a.TeamUpdatedAt, *a.TeamMemberCount,
		})
	}
	return rows
}

// What every application has of its own, and all contenders share.
const (
	agent      = "bench/1.0"
	ip         = "192.0.2.7"
	lifetime   = 7 * 24 * time.Hour
	insertRows = 1000 // in a statement of a contender that writes many rows with a parameter for each value
)

func newID() string { return rand.Text() }

// now is the time as Better Auth keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// membershipKey is what Better Auth 1.7 writes into a seat.
func membershipKey(teamID, userID string) string {
	text, _ := json.Marshal([]string{teamID, userID}) // cannot fail
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func ptr[T any](v T) *T { return &v }
