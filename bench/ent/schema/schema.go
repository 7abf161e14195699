// Package schema declares the tables to ent as they are.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

func table(name string) []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: name}}
}

func stamp() map[string]string { return map[string]string{dialect.Postgres: "timestamp"} }

// User is a table.
type User struct{ ent.Schema }

// Annotations name it.
func (User) Annotations() []schema.Annotation { return table("user") }

// Fields are its columns.
func (User) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("name"),
		field.String("email"),
		field.Bool("email_verified"),
		field.String("image").Optional().Nillable(),
		field.Time("created_at").SchemaType(stamp()),
		field.Time("updated_at").SchemaType(stamp()),
	}
}

// Edges are its relations.
func (User) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("sessions", Session.Type),
		edge.To("accounts", Account.Type),
		edge.To("members", Member.Type),
		edge.To("team_members", TeamMember.Type),
		edge.To("invitations", Invitation.Type),
	}
}

// Session is a table.
type Session struct{ ent.Schema }

// Annotations name it.
func (Session) Annotations() []schema.Annotation { return table("session") }

// Fields are its columns.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.Time("expires_at").SchemaType(stamp()),
		field.String("token"),
		field.Time("created_at").SchemaType(stamp()),
		field.Time("updated_at").SchemaType(stamp()),
		field.String("ip_address").Optional().Nillable(),
		field.String("user_agent").Optional().Nillable(),
		field.String("user_id"),
		field.String("active_organization_id").Optional().Nillable(),
		field.String("active_team_id").Optional().Nillable(),
	}
}

// Edges are its relations.
func (Session) Edges() []ent.Edge {
	return []ent.Edge{edge.From("user", User.Type).Ref("sessions").Field("user_id").Unique().Required()}
}

// Account is a table.
type Account struct{ ent.Schema }

// Annotations name it.
func (Account) Annotations() []schema.Annotation { return table("account") }

// Fields are its columns.
func (Account) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("account_id"),
		field.String("provider_id"),
		field.String("user_id"),
		field.String("access_token").Optional().Nillable(),
		field.String("refresh_token").Optional().Nillable(),
		field.String("id_token").Optional().Nillable(),
		field.Time("access_token_expires_at").SchemaType(stamp()).Optional().Nillable(),
		field.Time("refresh_token_expires_at").SchemaType(stamp()).Optional().Nillable(),
		field.String("scope").Optional().Nillable(),
		field.String("password").Optional().Nillable(),
		field.Time("created_at").SchemaType(stamp()),
		field.Time("updated_at").SchemaType(stamp()),
	}
}

// Edges are its relations.
func (Account) Edges() []ent.Edge {
	return []ent.Edge{edge.From("user", User.Type).Ref("accounts").Field("user_id").Unique().Required()}
}

// Organization is a table.
type Organization struct{ ent.Schema }

// Annotations name it.
func (Organization) Annotations() []schema.Annotation { return table("organization") }

// Fields are its columns.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("name"),
		field.String("slug"),
		field.String("logo").Optional().Nillable(),
		field.Time("created_at").SchemaType(stamp()),
		field.String("metadata").Optional().Nillable(),
	}
}

// Edges are its relations.
func (Organization) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("members", Member.Type),
		edge.To("teams", Team.Type),
		edge.To("invitations", Invitation.Type),
	}
}

// Member is a table.
type Member struct{ ent.Schema }

// Annotations name it.
func (Member) Annotations() []schema.Annotation { return table("member") }

// Fields are its columns.
func (Member) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("organization_id"),
		field.String("user_id"),
		field.String("role"),
		field.Time("created_at").SchemaType(stamp()),
	}
}

// Edges are its relations.
func (Member) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("organization", Organization.Type).Ref("members").Field("organization_id").Unique().Required(),
		edge.From("user", User.Type).Ref("members").Field("user_id").Unique().Required(),
	}
}

// Team is a table.
type Team struct{ ent.Schema }

// Annotations name it.
func (Team) Annotations() []schema.Annotation { return table("team") }

// Fields are its columns.
func (Team) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("name"),
		field.String("organization_id"),
		field.Time("created_at").SchemaType(stamp()),
		field.Time("updated_at").SchemaType(stamp()).Optional().Nillable(),
		field.Int32("member_count"),
	}
}

// Edges are its relations.
func (Team) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("organization", Organization.Type).Ref("teams").Field("organization_id").Unique().Required(),
		edge.To("members", TeamMember.Type),
	}
}

// TeamMember is a table.
type TeamMember struct{ ent.Schema }

// Annotations name it.
func (TeamMember) Annotations() []schema.Annotation { return table("team_member") }

// Fields are its columns.
func (TeamMember) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("team_id"),
		field.String("user_id"),
		field.Time("created_at").SchemaType(stamp()).Optional().Nillable(),
		field.String("membership_key").Optional().Nillable(),
	}
}

// Edges are its relations.
func (TeamMember) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("team", Team.Type).Ref("members").Field("team_id").Unique().Required(),
		edge.From("user", User.Type).Ref("team_members").Field("user_id").Unique().Required(),
	}
}

// Invitation is a table.
type Invitation struct{ ent.Schema }

// Annotations name it.
func (Invitation) Annotations() []schema.Annotation { return table("invitation") }

// Fields are its columns.
func (Invitation) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("organization_id"),
		field.String("email"),
		field.String("role").Optional().Nillable(),
		field.String("team_id").Optional().Nillable(),
		field.String("status"),
		field.Time("expires_at").SchemaType(stamp()),
		field.Time("created_at").SchemaType(stamp()),
		field.String("inviter_id"),
	}
}

// Edges are its relations.
func (Invitation) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("organization", Organization.Type).Ref("invitations").Field("organization_id").Unique().Required(),
		edge.From("inviter", User.Type).Ref("invitations").Field("inviter_id").Unique().Required(),
	}
}
