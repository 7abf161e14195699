package methods_test

import (
	"cmp"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// scope is whose rows a caller asks for.
type scope struct{ org, user string }

// TestScopes calls every method that takes the id of an organization or a user, with the ids of a's rows: in a scope
// that is not theirs it must find and change nothing, in that of a it must succeed.
func TestScopes(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	// These have no rows at all, so whatever a list or a count finds for them is somebody else's.
	kit.Exec(t, s.Store, `INSERT INTO organization (id, name, slug, created_at) VALUES ('empty', '', 'empty', '2026-01-01')`)
	other, nobody := scope{"empty", authdbtest.User(t, s.Store).ID}, scope{"none", "none"}

	newcomer := authdbtest.User(t, s.Store).ID
	db, in, a := s.Store, scope{}, kit.Tenant{}
	// The user in scope, who has the address of the invitation.
	recipient := func() string {
		if in.user != a.User.ID {
			return in.user
		}
		return kit.Must[authdb.User](t)(db.Users.SetEmail(ctx, in.user, authdb.SetEmailParams{Email: a.Invitation.Email, Verified: true})).ID
	}
	var covered []string
	type calls map[string]func() error
	for _, group := range []struct {
		in   scope
		want error
		calls
	}{
		{nobody, authdb.ErrNotFound, calls{
			"Users.Get": func() error { return kit.ErrOf(db.Users.Get(ctx, in.user)) },
			"Users.Update": func() error {
				return kit.ErrOf(db.Users.Update(ctx, in.user, authdb.UpdateUserParams{Name: authdb.Set("x")}))
			},
			"Users.SetEmail": func() error {
				return kit.ErrOf(db.Users.SetEmail(ctx, in.user, authdb.SetEmailParams{Email: "x@example.com", Verified: true}))
			},
			"Users.Delete":      func() error { return kit.ErrOf(db.Users.Delete(ctx, authdb.DeleteUserParams{UserID: in.user})) },
			"Organizations.Get": func() error { return kit.ErrOf(db.Organizations.Get(ctx, in.org)) },
			"Users.GetFull": func() error {
				return kit.ErrOf(db.Users.GetFull(ctx, in.user, authdb.UserWith{Sessions: authdb.All(), Accounts: authdb.All()}))
			},
			"Organizations.GetFull": func() error {
				return kit.ErrOf(db.Organizations.GetFull(ctx, in.org, authdb.OrganizationWith{Members: authdb.All()}))
			},
			"Organizations.Update": func() error {
				return kit.ErrOf(db.Organizations.Update(ctx, in.org, authdb.UpdateOrganizationParams{Name: authdb.Set("x")}))
			},
			"Organizations.Delete": func() error { return kit.ErrOf(db.Organizations.Delete(ctx, in.org)) },
		}},
		{nobody, authdb.ErrReference, calls{
			"Sessions.Create": func() error { return kit.ErrOf(db.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: in.user})) },
			"Sessions.CreateMany": func() error {
				return kit.ErrOf(db.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: in.user}}))
			},
			"Accounts.Link": func() error {
				return kit.ErrOf(db.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: in.user, ProviderID: "github", AccountID: "7"}))
			},
			"Accounts.Create": func() error {
				return kit.ErrOf(db.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: in.user, ProviderID: "gitlab", AccountID: "7"}))
			},
			"Members.Create": func() error {
				return kit.ErrOf(db.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: in.org, UserID: newcomer}))
			},
			"Members.CreateMany": func() error {
				return kit.ErrOf(db.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: in.org, UserID: newcomer}}))
			},
			"Teams.Create": func() error { return kit.ErrOf(db.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: in.org})) },
		}},
		{nobody, authdb.ErrInvalidInput, calls{
			"Users.CreateWithAccount": func() error {
				account := authdb.CreateAccountParams{ProviderID: "github", AccountID: "8"}
				if in == nobody {
					account.UserID = a.User.ID
				}
				_, err := db.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Email: "x@example.com"}, Account: account})
				return err
			},
		}},
		{other, authdb.ErrNotMember, calls{
			"Invitations.Create": func() error {
				return kit.ErrOf(db.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: in.org, InviterID: a.User.ID, Email: "x@example.com"}))
			},
		}},
		{other, authdb.ErrNotFound, calls{
			"Sessions.Get": func() error { return kit.ErrOf(db.Sessions.Get(ctx, in.user, a.Session.ID)) },
			"Sessions.SetActiveOrganization": func() error {
				return kit.ErrOf(db.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{UserID: in.user, Token: a.Session.Token, OrganizationID: a.Org.ID}))
			},
			"Sessions.SetActiveTeam": func() error {
				return kit.ErrOf(db.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: in.user, Token: a.Session.Token, TeamID: a.Team.ID}))
			},
			"Sessions.Delete":        func() error { return db.Sessions.Delete(ctx, in.user, a.Session.ID) },
			"Accounts.Get":           func() error { return kit.ErrOf(db.Accounts.Get(ctx, in.user, a.Account.ID)) },
			"Accounts.GetCredential": func() error { return kit.ErrOf(db.Accounts.GetCredential(ctx, in.user)) },
			"Accounts.Update": func() error {
				return kit.ErrOf(db.Accounts.Update(ctx, in.user, a.Account.ID, authdb.UpdateAccountParams{Scope: authdb.Set("x")}))
			},
			"Accounts.SetPassword": func() error { return db.Accounts.SetPassword(ctx, in.user, "x") },
			"Accounts.Delete": func() error {
				return db.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: in.user, ID: a.Account.ID, AllowLast: true})
			},
			"Members.Get":         func() error { return kit.ErrOf(db.Members.Get(ctx, in.org, a.Member.ID)) },
			"Members.GetWithUser": func() error { return kit.ErrOf(db.Members.GetWithUser(ctx, in.org, a.Member.ID)) },
			"Members.GetByUser":   func() error { return kit.ErrOf(db.Members.GetByUser(ctx, in.org, a.User.ID)) },
			"Members.GetByEmail":  func() error { return kit.ErrOf(db.Members.GetByEmail(ctx, in.org, a.User.Email)) },
			"Members.Update": func() error {
				return kit.ErrOf(db.Members.Update(ctx, in.org, a.Member.ID, authdb.UpdateMemberParams{Role: authdb.Set("x")}))
			},
			"Members.Leave": func() error { return db.Members.Leave(ctx, in.org, a.User.ID) },
			"Members.Delete": func() error {
				return db.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: in.org, MemberID: a.Member.ID})
			},
			"Teams.Get": func() error { return kit.ErrOf(db.Teams.Get(ctx, in.org, a.Team.ID)) },
			"Teams.GetFull": func() error {
				return kit.ErrOf(db.Teams.GetFull(ctx, in.org, a.Team.ID, authdb.TeamWith{Members: authdb.All()}))
			},
			"Teams.GetWithOrganization": func() error { return kit.ErrOf(db.Teams.GetWithOrganization(ctx, in.org, a.Team.ID)) },
			"Teams.Update": func() error {
				return kit.ErrOf(db.Teams.Update(ctx, in.org, a.Team.ID, authdb.UpdateTeamParams{Name: authdb.Set("x")}))
			},
			"Teams.Delete": func() error {
				return db.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: in.org, TeamID: a.Team.ID, AllowLast: true})
			},
			"TeamMembers.Create": func() error {
				return kit.ErrOf(db.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: in.org, TeamID: a.Team.ID, UserID: a.User.ID}))
			},
			"TeamMembers.CreateMany": func() error {
				return kit.ErrOf(db.TeamMembers.CreateMany(ctx, kit.SeatsOf(in.org, a.Team.ID, 0, a.User.ID)))
			},
			"TeamMembers.Get":            func() error { return kit.ErrOf(db.TeamMembers.Get(ctx, in.org, a.TeamMember.ID)) },
			"TeamMembers.GetWithUser":    func() error { return kit.ErrOf(db.TeamMembers.GetWithUser(ctx, in.org, a.TeamMember.ID)) },
			"TeamMembers.GetByUser":      func() error { return kit.ErrOf(db.TeamMembers.GetByUser(ctx, in.org, a.Team.ID, a.User.ID)) },
			"TeamMembers.Delete":         func() error { return db.TeamMembers.Delete(ctx, in.org, a.TeamMember.ID) },
			"TeamMembers.DeleteByUser":   func() error { return db.TeamMembers.DeleteByUser(ctx, in.org, a.Team.ID, a.User.ID) },
			"Invitations.Get":            func() error { return kit.ErrOf(db.Invitations.Get(ctx, in.org, a.Invitation.ID)) },
			"Invitations.GetWithInviter": func() error { return kit.ErrOf(db.Invitations.GetWithInviter(ctx, in.org, a.Invitation.ID)) },
			"Invitations.GetPending":     func() error { return kit.ErrOf(db.Invitations.GetPending(ctx, in.org, a.Invitation.Email)) },
			"Invitations.Accept": func() error {
				return kit.ErrOf(db.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: a.Invitation.ID, UserID: recipient(), AllowUnverified: true}))
			},
			"Invitations.Reject": func() error {
				return kit.ErrOf(db.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: a.Invitation.ID, UserID: recipient(), AllowUnverified: true}))
			},
			"Invitations.GetByRecipient": func() error {
				return kit.ErrOf(db.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{InvitationID: a.Invitation.ID, UserID: recipient()}))
			},
			"Users.VerifyEmail": func() error {
				return kit.ErrOf(db.Users.VerifyEmail(ctx, in.user, authdb.VerifyEmailParams{Email: a.User.Email}))
			},
			"Invitations.Cancel": func() error { return kit.ErrOf(db.Invitations.Cancel(ctx, in.org, a.Invitation.ID)) },
			"Invitations.Delete": func() error { return db.Invitations.Delete(ctx, in.org, a.Invitation.ID) },
		}},
		{other, kit.ErrNone, calls{
			"Sessions.List":         func() error { return kit.InPages(ctx, db.Sessions.List, authdb.ListSessionsParams{UserID: in.user}) },
			"Sessions.All":          func() error { return kit.InAll(db.Sessions.All(ctx, authdb.ListSessionsParams{UserID: in.user})) },
			"Sessions.Count":        func() error { return kit.Counted(db.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: in.user})) },
			"Sessions.DeleteByUser": func() error { return kit.Some(db.Sessions.DeleteByUser(ctx, in.user)) },
			"Sessions.DeleteOthers": func() error { return kit.Some(db.Sessions.DeleteOthers(ctx, in.user, "another")) },
			"Accounts.List":         func() error { return kit.InPages(ctx, db.Accounts.List, authdb.ListAccountsParams{UserID: in.user}) },
			"Accounts.All":          func() error { return kit.InAll(db.Accounts.All(ctx, authdb.ListAccountsParams{UserID: in.user})) },
			"Accounts.Count":        func() error { return kit.Counted(db.Accounts.Count(ctx, authdb.ListAccountsParams{UserID: in.user})) },
			"Accounts.DeleteByUser": func() error { return kit.Counted(db.Accounts.DeleteByUser(ctx, in.user)) },
			"Members.List": func() error {
				return kit.InPages(ctx, db.Members.List, authdb.ListMembersParams{OrganizationID: in.org})
			},
			"Members.All": func() error { return kit.InAll(db.Members.All(ctx, authdb.ListMembersParams{OrganizationID: in.org})) },
			"Members.ListByUser": func() error {
				return kit.InPages(ctx, db.Members.ListByUser, authdb.ListMembersByUserParams{UserID: in.user})
			},
			"Members.AllByUser": func() error {
				return kit.InAll(db.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: in.user}))
			},
			"Organizations.ListByUser": func() error {
				return kit.InPages(ctx, db.Organizations.ListByUser, authdb.ListOrganizationsByUserParams{UserID: in.user})
			},
			"Organizations.AllByUser": func() error {
				return kit.InAll(db.Organizations.AllByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: in.user}))
			},
			"Members.Count": func() error {
				return kit.Counted(db.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: in.org}))
			},
			"Members.CountByUser": func() error {
				return kit.Counted(db.Members.CountByUser(ctx, authdb.ListMembersByUserParams{UserID: in.user}))
			},
			"Teams.List":                func() error { return kit.InPages(ctx, db.Teams.List, authdb.ListTeamsParams{OrganizationID: in.org}) },
			"Teams.All":                 func() error { return kit.InAll(db.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: in.org})) },
			"Teams.RecountMembers":      func() error { return kit.Counted(db.Teams.RecountMembers(ctx, in.org)) },
			"Invitations.CancelExpired": func() error { return kit.Counted(db.Invitations.CancelExpired(ctx, in.org)) },
			"Teams.Count":               func() error { return kit.Counted(db.Teams.Count(ctx, authdb.ListTeamsParams{OrganizationID: in.org})) },
			"TeamMembers.List": func() error {
				return kit.InPages(ctx, db.TeamMembers.List, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.Team.ID})
			},
			"TeamMembers.All": func() error {
				return kit.InAll(db.TeamMembers.All(ctx, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.Team.ID}))
			},
			"TeamMembers.ListByUser": func() error {
				return kit.InPages(ctx, db.TeamMembers.ListByUser, authdb.ListTeamMembersByUserParams{UserID: in.user})
			},
			"TeamMembers.AllByUser": func() error {
				return kit.InAll(db.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: in.user}))
			},
			"TeamMembers.Count": func() error {
				return kit.Counted(db.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.Team.ID}))
			},
			"Invitations.List": func() error {
				return kit.InPages(ctx, db.Invitations.List, authdb.ListInvitationsParams{OrganizationID: in.org, TeamID: a.Team.ID})
			},
			"Invitations.All": func() error {
				return kit.InAll(db.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: in.org, TeamID: a.Team.ID}))
			},
			"Invitations.ListByRecipient": func() error {
				return kit.InPages(ctx, db.Invitations.ListByRecipient, authdb.ListInvitationsByRecipientParams{UserID: recipient()})
			},
			"Invitations.AllByRecipient": func() error {
				return kit.InAll(db.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: recipient()}))
			},
			"Invitations.Count": func() error {
				return kit.Counted(db.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: in.org}))
			},
		}},
	} {
		for method, call := range group.calls {
			covered = append(covered, method)
			t.Run(method, func(t *testing.T) {
				db, in, a = s.Store, group.in, kit.NewTenant(t, s)
				kit.Exec(t, s.Store, `UPDATE team SET member_count = 9 WHERE id = $1`, a.Team.ID)
				kit.Exec(t, s.Store, `INSERT INTO invitation (id, organization_id, email, expires_at, inviter_id)
					VALUES ('expired' || $1, $1, 'late@example.com', '2000-01-01', $2)`, a.Org.ID, a.User.ID)
				want := kit.ReadTables(t, s.Store)
				err := call()
				if e, ok := errors.AsType[*authdb.Error](err); !errors.Is(err, group.want) || ok && e.Op != method {
					t.Errorf("out of scope: %v, want %v", err, group.want)
				}
				s.Holds(t, want)
				undo := errors.New("undo")
				if err := s.InTx(ctx, func(tx *authdb.Store) error {
					db, in = tx, scope{a.Org.ID, a.User.ID}
					return cmp.Or(call(), undo)
				}); !errors.Is(err, undo) {
					t.Errorf("in its scope: %v", err)
				}
			})
		}
	}
	slices.Sort(covered)
	if diff := gocmp.Diff(scopedMethods(t), covered); diff != "" {
		t.Errorf("methods with an organization or a user in their parameters (-source +tested):\n%s", diff)
	}
}

// scopedMethods reads from the source which methods of the repositories have a parameter, or a field of a params
// struct, for the id of an organization or a user.
func scopedMethods(t *testing.T) []string {
	t.Helper()
	files := kit.Must[[]string](t)(filepath.Glob("../../*.go"))
	scopedParams, funcs := map[string]bool{}, []*ast.FuncDecl{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(kit.Must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)), func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				// A row is not an id that somebody sent: Load takes rows that the caller has.
				if s, ok := n.Type.(*ast.StructType); ok && strings.HasSuffix(n.Name.Name, "Params") && named(s.Fields, "OrganizationID", "UserID", "Account") {
					scopedParams[n.Name.Name] = true
				}
			case *ast.FuncDecl:
				funcs = append(funcs, n)
			}
			return true
		})
	}
	var methods []string
	for _, f := range funcs {
		if f.Recv == nil || !f.Name.IsExported() {
			continue
		}
		repository, ok := strings.CutSuffix(types.ExprString(f.Recv.List[0].Type), "Repository")
		isScoped := named(f.Type.Params, "organizationID", "userID") ||
			slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
				return scopedParams[strings.TrimLeft(types.ExprString(p.Type), "[]*")]
			})
		if ok && isScoped {
			methods = append(methods, strings.TrimPrefix(repository, "*")+"s."+f.Name.Name)
		}
	}
	slices.Sort(methods)
	return methods
}

func named(fields *ast.FieldList, names ...string) bool {
	return slices.ContainsFunc(fields.List, func(f *ast.Field) bool {
		return slices.ContainsFunc(f.Names, func(name *ast.Ident) bool { return slices.Contains(names, name.Name) })
	})
}
