package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// Organization is a tenant: one row of the organization table.
type Organization struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Slug      string    `json:"slug"` // unique; case matters
	Logo      *string   `json:"logo"` // URL; nil if there is none
	CreatedAt time.Time `json:"createdAt"`
	Metadata  *string   `json:"metadata"` // JSON text as the application wrote it; nil if there is none
}

func (o Organization) cursor() Cursor { return Cursor{o.CreatedAt, o.ID} }

func toOrganization(row dbgen.Organization) Organization { return Organization(row) }

// OrganizationOfUser is an organization, a user's membership in it, and how many members it has.
type OrganizationOfUser struct {
	Organization
	Member      Member `json:"member"`
	MemberCount int64  `json:"memberCount"`
}

func (o OrganizationOfUser) cursor() Cursor { return Cursor{o.Member.CreatedAt, o.Member.ID} }

// organizationOfUser converts the row of either order.
func organizationOfUser[R interface {
	~struct {
		Member       dbgen.Member
		Organization dbgen.Organization
		MemberCount  int64
	}
}](row R) OrganizationOfUser {
	r := dbgen.ListOrganizationsByUserRow(row)
	return OrganizationOfUser{Organization(r.Organization), Member(r.Member), r.MemberCount}
}

// CreateOrganizationParams are the columns of a new organization and who owns it.
type CreateOrganizationParams struct {
	ID       string  // empty: a new one
	Name     string  // at most 255 characters
	Slug     string  // at most 63 characters
	Logo     *string // at most 2,048 characters
	Metadata *string // JSON text, which is not parsed; at most 65,536 characters
	OwnerID  string  // the user who becomes its first member, with the CreatorRole of Settings

	// Also make a team of the same name, with the owner in it, as Better Auth does if teams are enabled.
	DefaultTeam bool
}

// UpdateOrganizationParams says what to change; the zero value changes nothing.
type UpdateOrganizationParams struct {
	Name     Change[string] `json:"name,omitzero"`
	Slug     Change[string] `json:"slug,omitzero"`
	Logo     Change[string] `json:"logo,omitzero"`
	Metadata Change[string] `json:"metadata,omitzero"`
}

// DeletedOrganization is what changed along with an organization's deletion.
type DeletedOrganization struct {
	// The sessions in which it was active, in no order, as they are now: with nothing active.
	Sessions []Session `json:"sessions"`
}

// ListOrganizationsParams selects a page of all organizations.
type ListOrganizationsParams struct {
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// ListOrganizationsByUserParams selects a page of the organizations that a user is a member of.
type ListOrganizationsByUserParams struct {
	UserID string
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// OrganizationRepository reads and writes the organization table. It is [Store.Organizations].
type OrganizationRepository struct{ door }

// Create adds an organization, its owner and, if asked, its first team, all or nothing. It returns [ErrSlugTaken],
// [ErrReference] if there is no such user, or [ErrInvalidInput].
func (r OrganizationRepository) Create(ctx context.Context, p CreateOrganizationParams) (Organization, error) {
	const op = "Organizations.Create"
	if err := check(op, text("id", p.ID, maxID), text("name", p.Name, maxName), required("slug", p.Slug, maxSlug),
		optional("logo", p.Logo, maxURL), jsonText("metadata", p.Metadata, maxMetadata),
		required("owner_id", p.OwnerID, maxID)); err != nil {
		return Organization{}, err
	}
	row, err := r.repo().CreateOrganization(ctx, op, dbgen.CreateOrganizationParams{
		ID: p.ID, Name: p.Name, Slug: p.Slug, Logo: p.Logo, Metadata: p.Metadata,
		OwnerID: p.OwnerID, OwnerRole: r.repo().Settings().CreatorRole, DefaultTeam: p.DefaultTeam,
	})
	return answer(op, row, err, toOrganization)
}

// Get returns the organization with that id, or [ErrNotFound].
func (r OrganizationRepository) Get(ctx context.Context, organizationID string) (Organization, error) {
	const op = "Organizations.Get"
	if err := check(op, id("organization_id", organizationID)); err != nil {
		return Organization{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetOrganization, organizationID, toOrganization)
}

// GetBySlug returns the organization with that slug, or [ErrNotFound].
func (r OrganizationRepository) GetBySlug(ctx context.Context, slug string) (Organization, error) {
	const op = "Organizations.GetBySlug"
	if err := check(op, key("slug", slug)); err != nil {
		return Organization{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetOrganizationBySlug, slug, toOrganization)
}

// List returns a page of all organizations, oldest first unless p.Newest. It is meant for administration: nothing
// narrows it. For those of one user see [OrganizationRepository.ListByUser].
func (r OrganizationRepository) List(ctx context.Context, p ListOrganizationsParams) (Page[Organization], error) {
	const op = "Organizations.List"
	if err := check(op, pageOf(p.After, p.Limit)); err != nil {
		return Page[Organization]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListOrganizationsParams{
		AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListOrganizationsNewest, dbgen.ListOrganizationsNewestParams(args),
			p.Limit, toOrganization, Organization.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListOrganizations, args, p.Limit, toOrganization, Organization.cursor)
}

// All iterates over the organizations of [OrganizationRepository.List] from p.After on, p.Limit (1,000 if 0) at a time.
// An error ends it.
func (r OrganizationRepository) All(ctx context.Context, p ListOrganizationsParams) iter.Seq2[Organization, error] {
	return eachItem(ctx, p, func(p *ListOrganizationsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// ListByUser returns a page of the organizations that a user is a member of, with the membership and the number of
// members, in the order in which the user joined. It returns [ErrInvalidInput].
func (r OrganizationRepository) ListByUser(
	ctx context.Context, p ListOrganizationsByUserParams,
) (Page[OrganizationOfUser], error) {
	const op = "Organizations.ListByUser"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return Page[OrganizationOfUser]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListOrganizationsByUserParams{
		UserID: p.UserID, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListOrganizationsByUserNewest,
			dbgen.ListOrganizationsByUserNewestParams(args),
			p.Limit, organizationOfUser, OrganizationOfUser.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListOrganizationsByUser, args, p.Limit, organizationOfUser,
		OrganizationOfUser.cursor)
}

// AllByUser iterates over the organizations of [OrganizationRepository.ListByUser] from p.After on, p.Limit (1,000 if
// 0) at a time. An error ends it.
func (r OrganizationRepository) AllByUser(
	ctx context.Context, p ListOrganizationsByUserParams,
) iter.Seq2[OrganizationOfUser, error] {
	return eachItem(ctx, p,
		func(p *ListOrganizationsByUserParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.ListByUser)
}

// Count returns how many organizations [OrganizationRepository.List] has on all its pages. It reads the whole table.
func (r OrganizationRepository) Count(ctx context.Context, p ListOrganizationsParams) (int64, error) {
	const op = "Organizations.Count"
	if err := check(op, pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, countOf((*queries).CountOrganizations), struct{}{}, itself)
}

// Update changes what p says and returns the organization. It returns [ErrNotFound], [ErrSlugTaken] or
// [ErrInvalidInput].
func (r OrganizationRepository) Update(
	ctx context.Context, organizationID string, p UpdateOrganizationParams,
) (Organization, error) {
	const op = "Organizations.Update"
	if err := check(op, id("organization_id", organizationID), p.Name.notNull("name"), p.Slug.notNull("slug"),
		optional("name", p.Name.value, maxName), optionalRequired("slug", p.Slug.value, maxSlug), optional("logo",
			p.Logo.value, maxURL),
		jsonText("metadata", p.Metadata.value, maxMetadata)); err != nil {
		return Organization{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateOrganization, dbgen.UpdateOrganizationParams{
		ID: organizationID, Name: p.Name.value, Slug: p.Slug.value,
		SetLogo: p.Logo.set, Logo: p.Logo.value, SetMetadata: p.Metadata.set, Metadata: p.Metadata.value,
	}, (*queries).GetOrganization, organizationID)
	return answer(op, row, err, toOrganization)
}

// Delete removes an organization with its members, teams, team members and invitations. It returns [ErrNotFound], or
// [ErrReferenced] if rows of the caller's own tables refer to it.
func (r OrganizationRepository) Delete(ctx context.Context, organizationID string) (DeletedOrganization, error) {
	const op = "Organizations.Delete"
	if err := check(op, id("organization_id", organizationID)); err != nil {
		return DeletedOrganization{}, err
	}
	sessions, err := r.repo().DeleteOrganization(ctx, op, organizationID)
	if err := deleted(op, err); err != nil {
		return DeletedOrganization{}, err
	}
	return DeletedOrganization{each(sessions, toSession)}, nil
}
