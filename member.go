package authdb

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// The roles that Better Auth knows by default. An application may define more.
const (
	RoleOwner  = "owner"
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// Member is the membership of a user in an organization: one row of the member table.
type Member struct {
	ID             string    `json:"id"`
	OrganizationID string    `json:"organizationId"` // references organization
	UserID         string    `json:"userId"`         // references user
	Role           string    `json:"role"`           // one role, or several joined by commas; see HasRole
	CreatedAt      time.Time `json:"createdAt"`
}

func toMember(row dbgen.Member) Member { return Member(row) }

// HasRole reports whether role is one of the member's roles. Nobody has the empty role.
func (m Member) HasRole(role string) bool {
	for r := range strings.SplitSeq(m.Role, ",") {
		if r = repo.TrimRole(r); r != "" && r == role {
			return true
		}
	}
	return false
}

// canonicalRole writes a list of roles as Better Auth reads it: without white space and without empty roles.
func canonicalRole(list string) string {
	if len(list) > maxRole*utf8.UTFMax {
		return list // the checks refuse it: each comma would cost 16 bytes
	}
	var roles []string
	for r := range strings.SplitSeq(list, ",") {
		if r = repo.TrimRole(r); r != "" {
			roles = append(roles, r)
		}
	}
	return strings.Join(roles, ",")
}

// newRole is the role of a new member: RoleMember if list is empty.
func newRole(list string) string {
	if repo.TrimRole(list) == "" {
		return RoleMember
	}
	return canonicalRole(list)
}

// singleRole checks that text is one role, without commas and white space around it, or empty.
func singleRole(field, role string) fault {
	if f := text(field, role, maxRole); f.reason != "" {
		return f
	}
	if role != repo.TrimRole(role) || strings.Contains(role, ",") {
		return fault{field: field, reason: "malformed"}
	}
	return fault{}
}

// MemberWithUser is a member and its user.
type MemberWithUser struct {
	Member
	User User `json:"user"`
}

func (m MemberWithUser) cursor() Cursor { return Cursor{m.CreatedAt, m.ID} }

// memberWithUser converts the row of any query that joins the two.
func memberWithUser[R interface {
	~struct {
		Member dbgen.Member
		User   dbgen.User
	}
}](row R) MemberWithUser {
	r := dbgen.ListMembersRow(row)
	return MemberWithUser{Member(r.Member), User(r.User)}
}

// MemberWithOrganization is a member and its organization.
type MemberWithOrganization struct {
	Member
	Organization Organization `json:"organization"`
}

func (m MemberWithOrganization) cursor() Cursor { return Cursor{m.CreatedAt, m.ID} }

// memberWithOrganization converts the row of any query that joins the two.
func memberWithOrganization[R interface {
	~struct {
		Member       dbgen.Member
		Organization dbgen.Organization
	}
}](row R) MemberWithOrganization {
	r := dbgen.ListMembersByUserRow(row)
	return MemberWithOrganization{Member(r.Member), Organization(r.Organization)}
}

// CreateMemberParams are the columns of a new member.
type CreateMemberParams struct {
	ID             string // empty: a new one
	OrganizationID string
	UserID         string
	Role           string // empty: RoleMember; several joined by commas; at most 1,024 characters
	MaxMembers     int    // of the organization, the new one included; zero: that of Settings
}

func (p *CreateMemberParams) check(op string) error {
	p.Role = newRole(p.Role)
	return check(op, text("id", p.ID, maxID), required("organization_id", p.OrganizationID, maxID),
		required("user_id", p.UserID, maxID),
		required("role", p.Role, maxRole), limitOf("max_members", p.MaxMembers))
}

// UpdateMemberParams says what to change; the zero value changes nothing.
type UpdateMemberParams struct {
	Role Change[string] `json:"role,omitzero"`
	By   Actor          `json:"-"` // needs the permission member:update; zero: no permission is checked
}

// DeleteMemberParams name the member to remove.
type DeleteMemberParams struct {
	OrganizationID string
	MemberID       string
	By             Actor // needs the permission member:delete; zero: no permission is checked
}

// ListMembersParams selects a page of an organization's members.
type ListMembersParams struct {
	OrganizationID string
	Role           string // only those who have this one role, alone or among others; empty: any
	Search         string // only those whose name or address contains this, in any case; empty: any
	Newest         bool   // newest first; otherwise oldest first
	After          Cursor
	Limit          int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// ListMembersByUserParams selects a page of a user's memberships.
type ListMembersByUserParams struct {
	UserID string
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// MemberRepository reads and writes the member table. It is [Store.Members].
type MemberRepository struct{ door }

// Create makes a user a member, and cancels pending invitations of the user's address to the organization. It returns
// [ErrAlreadyMember], [ErrLimitReached], [ErrReference] if there is no such organization or user, or [ErrInvalidInput].
func (r MemberRepository) Create(ctx context.Context, p CreateMemberParams) (Member, error) {
	const op = "Members.Create"
	if err := p.check(op); err != nil {
		return Member{}, err
	}
	row, err := r.repo().CreateMember(ctx, op, dbgen.CreateMemberParams{
		ID: p.ID, OrganizationID: p.OrganizationID, UserID: p.UserID, Role: p.Role, MaxMembers: limit(p.MaxMembers,
			r.repo().Settings().MaxMembers),
	})
	return answer(op, row, err, toMember)
}

// CreateMany adds any number of members as Create does, all or none, and returns them in the order given. It returns
// [ErrAlreadyMember], [ErrLimitReached] (by the smallest MaxMembers of an organization), [ErrReference] or
// [ErrInvalidInput].
func (r MemberRepository) CreateMany(ctx context.Context, ps []CreateMemberParams) ([]Member, error) {
	const op = "Members.CreateMany"
	rows, limits := make([]dbgen.Member, len(ps)), make([]int64, len(ps))
	for i, p := range ps {
		if err := p.check(op); err != nil {
			return nil, err
		}
		rows[i] = dbgen.Member{ID: p.ID, OrganizationID: p.OrganizationID, UserID: p.UserID, Role: p.Role}
		limits[i] = int64(cmp.Or(p.MaxMembers, r.repo().Settings().MaxMembers))
	}
	created, err := r.repo().CreateMembers(ctx, op, rows, limits)
	return answers(op, created, err, toMember)
}

// Get returns the member with that id if it is the organization's, or [ErrNotFound].
func (r MemberRepository) Get(ctx context.Context, organizationID, memberID string) (Member, error) {
	const op = "Members.Get"
	if err := check(op, id("organization_id", organizationID), id("member_id", memberID)); err != nil {
		return Member{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetMember, dbgen.GetMemberParams{
		OrganizationID: organizationID, ID: memberID,
	}, toMember)
}

// GetWithUser is Get with the user joined.
func (r MemberRepository) GetWithUser(ctx context.Context, organizationID, memberID string) (MemberWithUser, error) {
	const op = "Members.GetWithUser"
	if err := check(op, id("organization_id", organizationID), id("member_id", memberID)); err != nil {
		return MemberWithUser{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetMemberWithUser, dbgen.GetMemberWithUserParams{
		OrganizationID: organizationID, ID: memberID,
	}, memberWithUser)
}

// GetByUser returns a user's membership in an organization, or [ErrNotFound]: the check whether a user may see it.
func (r MemberRepository) GetByUser(ctx context.Context, organizationID, userID string) (Member, error) {
	const op = "Members.GetByUser"
	if err := check(op, id("organization_id", organizationID), id("user_id", userID)); err != nil {
		return Member{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetMemberByUser, dbgen.GetMemberByUserParams{
		OrganizationID: organizationID, UserID: userID,
	}, toMember)
}

// GetByEmail returns the membership of the user with that address, given in any case, or [ErrNotFound]; see
// [UserRepository.GetByEmail].
func (r MemberRepository) GetByEmail(ctx context.Context, organizationID, email string) (Member, error) {
	const op = "Members.GetByEmail"
	email = canonicalEmail(email)
	if err := check(op, id("organization_id", organizationID), key("email", email)); err != nil {
		return Member{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetMemberByEmail, dbgen.GetMemberByEmailParams{
		OrganizationID: organizationID, Email: email,
	}, toMember)
}

// List returns a page of an organization's members with their users, oldest first unless p.Newest. It returns
// [ErrInvalidInput].
func (r MemberRepository) List(ctx context.Context, p ListMembersParams) (Page[MemberWithUser], error) {
	const op = "Members.List"
	if err := check(op, id("organization_id", p.OrganizationID), singleRole("role", p.Role),
		text("search", p.Search, maxName), pageOf(p.After, p.Limit)); err != nil {
		return Page[MemberWithUser]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListMembersParams{
		OrganizationID: p.OrganizationID, Role: nonEmpty(p.Role), Spaces: repo.Spaces,
		Name: nonEmpty(p.Search), Email: nonEmpty(canonicalEmail(p.Search)),
		AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListMembersNewest, dbgen.ListMembersNewestParams(args),
			p.Limit, memberWithUser, MemberWithUser.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListMembers, args, p.Limit, memberWithUser, MemberWithUser.cursor)
}

// All iterates over the members of [MemberRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error
// ends it.
func (r MemberRepository) All(ctx context.Context, p ListMembersParams) iter.Seq2[MemberWithUser, error] {
	return eachItem(ctx, p, func(p *ListMembersParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// ListByUser returns a page of a user's memberships with their organizations, oldest first unless p.Newest. It returns
// [ErrInvalidInput].
func (r MemberRepository) ListByUser(
	ctx context.Context, p ListMembersByUserParams,
) (Page[MemberWithOrganization], error) {
	const op = "Members.ListByUser"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return Page[MemberWithOrganization]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListMembersByUserParams{
		UserID: p.UserID, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListMembersByUserNewest, dbgen.ListMembersByUserNewestParams(args),
			p.Limit, memberWithOrganization, MemberWithOrganization.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListMembersByUser, args, p.Limit, memberWithOrganization,
		MemberWithOrganization.cursor)
}

// AllByUser iterates over the memberships of [MemberRepository.ListByUser] from p.After on, p.Limit (1,000 if 0) at a
// time. An error ends it.
func (r MemberRepository) AllByUser(
	ctx context.Context, p ListMembersByUserParams,
) iter.Seq2[MemberWithOrganization, error] {
	return eachItem(ctx, p, func(p *ListMembersByUserParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.ListByUser)
}

// Count returns how many members [MemberRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r MemberRepository) Count(ctx context.Context, p ListMembersParams) (int64, error) {
	const op = "Members.Count"
	if err := check(op, id("organization_id", p.OrganizationID), singleRole("role", p.Role),
		text("search", p.Search, maxName), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountMembers, dbgen.CountMembersParams{
		OrganizationID: p.OrganizationID, Role: nonEmpty(p.Role), Spaces: repo.Spaces,
		Name: nonEmpty(p.Search), Email: nonEmpty(canonicalEmail(p.Search)),
	}, itself)
}

// CountByUser returns how many memberships [MemberRepository.ListByUser] has on all its pages. It returns
// [ErrInvalidInput].
func (r MemberRepository) CountByUser(ctx context.Context, p ListMembersByUserParams) (int64, error) {
	const op = "Members.CountByUser"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountMembersByUser, p.UserID, itself)
}

// Update changes what p says of an organization's member and returns it. It returns [ErrNotFound], [ErrNotPermitted] if
// p.By may not, [ErrLastOwner] if it would take the CreatorRole of Settings from the only one who has it, or
// [ErrInvalidInput].
func (r MemberRepository) Update(
	ctx context.Context, organizationID, memberID string, p UpdateMemberParams,
) (Member, error) {
	const op = "Members.Update"
	role := p.Role.value
	if role != nil {
		role = new(canonicalRole(*role))
	}
	if err := check(op, id("organization_id", organizationID), id("member_id", memberID),
		p.Role.notNull("role"), optionalRequired("role", role, maxRole), p.By.check()); err != nil {
		return Member{}, err
	}
	row, err := r.repo().UpdateMember(ctx, op, dbgen.UpdateMemberParams{
		OrganizationID: organizationID, ID: memberID, Role: role,
		ActorID: p.By.id(), PermittedPattern: p.By.permitted("member", "update"),
		ActingPattern: p.By.owning(r.repo().Settings().CreatorRole),
	})
	return answer(op, row, err, toMember)
}

// Delete removes a member from the organization and from its teams. In the user's sessions neither is active any more,
// and pending invitations to the user's address there are canceled. It returns [ErrNotFound], [ErrNotPermitted] if p.By
// may not, or [ErrLastOwner] for the only owner.
func (r MemberRepository) Delete(ctx context.Context, p DeleteMemberParams) error {
	const op = "Members.Delete"
	if err := check(op, id("organization_id", p.OrganizationID), id("member_id", p.MemberID), p.By.check()); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteMember(ctx, op, dbgen.DeleteMemberParams{
		OrganizationID: p.OrganizationID, ID: &p.MemberID,
		ActorID: p.By.id(), PermittedPattern: p.By.permitted("member", "delete"),
		ActingPattern: p.By.owning(r.repo().Settings().CreatorRole),
	}))
}

// Leave is Delete by the user: what Better Auth calls leaving an organization.
func (r MemberRepository) Leave(ctx context.Context, organizationID, userID string) error {
	const op = "Members.Leave"
	if err := check(op, id("organization_id", organizationID), id("user_id", userID)); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteMember(ctx, op, dbgen.DeleteMemberParams{
		OrganizationID: organizationID, UserID: &userID,
	}))
}
