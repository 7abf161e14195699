package authdb_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// tenant is a user with a session and a password, and the user's organization with a team and an invitation to it.
type tenant struct {
	user       authdb.User
	session    authdb.Session
	account    authdb.Account
	org        authdb.Organization
	member     authdb.Member
	coOwner    authdb.Member
	team       authdb.Team
	teamMember authdb.TeamMember
	invitation authdb.Invitation
}

func newTenant(t *testing.T, s *fixture) (a tenant) {
	t.Helper()
	a.user = authdbtest.User(t, s.Store)
	a.org = authdbtest.Organization(t, s.Store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = a.user.ID })
	a.member = must[authdb.Member](t)(s.Members.GetByUser(t.Context(), a.org.ID, a.user.ID))
	a.coOwner = authdbtest.Member(t, s.Store, func(p *authdb.CreateMemberParams) {
		p.OrganizationID, p.Role = a.org.ID, authdb.RoleOwner
	})
	a.team = authdbtest.Team(t, s.Store, teamOf(a.org.ID))
	a.teamMember = authdbtest.TeamMember(t, s.Store, teamMemberOf(a.team, a.user.ID))
	a.team.MemberCount = 1
	a.session = authdbtest.Session(t, s.Store, func(p *authdb.CreateSessionParams) {
		p.UserID, p.ActiveOrganizationID, p.ActiveTeamID = a.user.ID, &a.org.ID, &a.team.ID
	})
	a.account = authdbtest.Account(t, s.Store, accountOf(a.user.ID, "credential", a.user.ID))
	a.invitation = invite(t, s, a.org.ID, a.user.ID, toTeams(a.team.ID))
	return a
}

// scope is whose rows a caller asks for.
type scope struct{ org, user string }

var errNone = errors.New("no rows")

func inPage[T any](p authdb.Page[T], err error) error { return counted(int64(len(p.Items)), err) }

// inPages asks for both orders, which must agree.
func inPages[P, T any](ctx context.Context, list func(context.Context, P) (authdb.Page[T], error), p P) error {
	oldest, newest := inPage(list(ctx, p)), inPage(list(ctx, newestFirst(p)))
	if !errors.Is(newest, oldest) {
		return fmt.Errorf("%v, but newest first: %v", oldest, newest) //nolint:errorlint // of neither kind
	}
	return oldest
}

func inAll[T any](seq iter.Seq2[T, error]) error {
	items, err := collect(seq, 1)
	return counted(int64(len(items)), err)
}

func some[T any](rows []T, err error) error { return counted(int64(len(rows)), err) }

func counted(n int64, err error) error {
	if err == nil && n == 0 {
		return errNone
	}
	return err
}

// TestScopes calls every method that takes the id of an organization or a user, with the ids of a's rows: in a scope
// that is not theirs it must find and change nothing, in that of a it must succeed.
func TestScopes(t *testing.T) {
	t.Parallel()
	s, ctx := newFixture(t), t.Context()
	// These have no rows at all, so whatever a list or a count finds for them is somebody else's.
	exec(t, s.Store, `INSERT INTO organization (id, name, slug, created_at) VALUES ('empty', '', 'empty', '2026-01-01')`)
	other, nobody := scope{"empty", authdbtest.User(t, s.Store).ID}, scope{"none", "none"}

	newcomer := authdbtest.User(t, s.Store).ID
	db, in, a := s.Store, scope{}, tenant{}
	// The user in scope, who has the address of the invitation.
	recipient := func() string {
		if in.user != a.user.ID {
			return in.user
		}
		return must[authdb.User](t)(db.Users.SetEmail(ctx, in.user, authdb.SetEmailParams{Email: a.invitation.Email, Verified: true})).ID
	}
	var covered []string
	type calls map[string]func() error
	for _, group := range []struct {
		in   scope
		want error
		calls
	}{
		{nobody, authdb.ErrNotFound, calls{
			"Users.Get": func() error { return errOf(db.Users.Get(ctx, in.user)) },
			"Users.Update": func() error {
				return errOf(db.Users.Update(ctx, in.user, authdb.UpdateUserParams{Name: authdb.Set("x")}))
			},
			"Users.SetEmail": func() error {
				return errOf(db.Users.SetEmail(ctx, in.user, authdb.SetEmailParams{Email: "x@example.com", Verified: true}))
			},
			"Users.Delete":      func() error { return errOf(db.Users.Delete(ctx, authdb.DeleteUserParams{UserID: in.user})) },
			"Organizations.Get": func() error { return errOf(db.Organizations.Get(ctx, in.org)) },
			"Users.GetFull": func() error {
				return errOf(db.Users.GetFull(ctx, in.user, authdb.UserWith{Sessions: authdb.All(), Accounts: authdb.All()}))
			},
			"Organizations.GetFull": func() error {
				return errOf(db.Organizations.GetFull(ctx, in.org, authdb.OrganizationWith{Members: authdb.All()}))
			},
			"Organizations.Update": func() error {
				return errOf(db.Organizations.Update(ctx, in.org, authdb.UpdateOrganizationParams{Name: authdb.Set("x")}))
			},
			"Organizations.Delete": func() error { return errOf(db.Organizations.Delete(ctx, in.org)) },
		}},
		{nobody, authdb.ErrReference, calls{
			"Sessions.Create": func() error { return errOf(db.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: in.user})) },
			"Sessions.CreateMany": func() error {
				return errOf(db.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: in.user}}))
			},
			"Accounts.Link": func() error {
				return errOf(db.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: in.user, ProviderID: "github", AccountID: "7"}))
			},
			"Accounts.Create": func() error {
				return errOf(db.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: in.user, ProviderID: "gitlab", AccountID: "7"}))
			},
			"Members.Create": func() error {
				return errOf(db.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: in.org, UserID: newcomer}))
			},
			"Members.CreateMany": func() error {
				return errOf(db.Members.CreateMany(ctx, []authdb.CreateMemberParams{{OrganizationID: in.org, UserID: newcomer}}))
			},
			"Teams.Create": func() error { return errOf(db.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: in.org})) },
		}},
		{nobody, authdb.ErrInvalidInput, calls{
			"Users.CreateWithAccount": func() error {
				account := authdb.CreateAccountParams{ProviderID: "github", AccountID: "8"}
				if in == nobody {
					account.UserID = a.user.ID
				}
				_, err := db.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{User: authdb.CreateUserParams{Email: "x@example.com"}, Account: account})
				return err
			},
		}},
		{other, authdb.ErrNotMember, calls{
			"Invitations.Create": func() error {
				return errOf(db.Invitations.Create(ctx, authdb.CreateInvitationParams{OrganizationID: in.org, InviterID: a.user.ID, Email: "x@example.com"}))
			},
		}},
		{other, authdb.ErrNotFound, calls{
			"Sessions.Get": func() error { return errOf(db.Sessions.Get(ctx, in.user, a.session.ID)) },
			"Sessions.SetActiveOrganization": func() error {
				return errOf(db.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{UserID: in.user, Token: a.session.Token, OrganizationID: a.org.ID}))
			},
			"Sessions.SetActiveTeam": func() error {
				return errOf(db.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: in.user, Token: a.session.Token, TeamID: a.team.ID}))
			},
			"Sessions.Delete":        func() error { return db.Sessions.Delete(ctx, in.user, a.session.ID) },
			"Accounts.Get":           func() error { return errOf(db.Accounts.Get(ctx, in.user, a.account.ID)) },
			"Accounts.GetCredential": func() error { return errOf(db.Accounts.GetCredential(ctx, in.user)) },
			"Accounts.Update": func() error {
				return errOf(db.Accounts.Update(ctx, in.user, a.account.ID, authdb.UpdateAccountParams{Scope: authdb.Set("x")}))
			},
			"Accounts.SetPassword": func() error { return db.Accounts.SetPassword(ctx, in.user, "x") },
			"Accounts.Delete": func() error {
				return db.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: in.user, ID: a.account.ID, AllowLast: true})
			},
			"Members.Get":         func() error { return errOf(db.Members.Get(ctx, in.org, a.member.ID)) },
			"Members.GetWithUser": func() error { return errOf(db.Members.GetWithUser(ctx, in.org, a.member.ID)) },
			"Members.GetByUser":   func() error { return errOf(db.Members.GetByUser(ctx, in.org, a.user.ID)) },
			"Members.GetByEmail":  func() error { return errOf(db.Members.GetByEmail(ctx, in.org, a.user.Email)) },
			"Members.Update": func() error {
				return errOf(db.Members.Update(ctx, in.org, a.member.ID, authdb.UpdateMemberParams{Role: authdb.Set("x")}))
			},
			"Members.Leave": func() error { return db.Members.Leave(ctx, in.org, a.user.ID) },
			"Members.Delete": func() error {
				return db.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: in.org, MemberID: a.member.ID})
			},
			"Teams.Get": func() error { return errOf(db.Teams.Get(ctx, in.org, a.team.ID)) },
			"Teams.GetFull": func() error {
				return errOf(db.Teams.GetFull(ctx, in.org, a.team.ID, authdb.TeamWith{Members: authdb.All()}))
			},
			"Teams.GetWithOrganization": func() error { return errOf(db.Teams.GetWithOrganization(ctx, in.org, a.team.ID)) },
			"Teams.Update": func() error {
				return errOf(db.Teams.Update(ctx, in.org, a.team.ID, authdb.UpdateTeamParams{Name: authdb.Set("x")}))
			},
			"Teams.Delete": func() error {
				return db.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: in.org, TeamID: a.team.ID, AllowLast: true})
			},
			"TeamMembers.Create": func() error {
				return errOf(db.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{OrganizationID: in.org, TeamID: a.team.ID, UserID: a.user.ID}))
			},
			"TeamMembers.CreateMany": func() error {
				return errOf(db.TeamMembers.CreateMany(ctx, seatsOf(in.org, a.team.ID, 0, a.user.ID)))
			},
			"TeamMembers.Get":            func() error { return errOf(db.TeamMembers.Get(ctx, in.org, a.teamMember.ID)) },
			"TeamMembers.GetWithUser":    func() error { return errOf(db.TeamMembers.GetWithUser(ctx, in.org, a.teamMember.ID)) },
			"TeamMembers.GetByUser":      func() error { return errOf(db.TeamMembers.GetByUser(ctx, in.org, a.team.ID, a.user.ID)) },
			"TeamMembers.Delete":         func() error { return db.TeamMembers.Delete(ctx, in.org, a.teamMember.ID) },
			"TeamMembers.DeleteByUser":   func() error { return db.TeamMembers.DeleteByUser(ctx, in.org, a.team.ID, a.user.ID) },
			"Invitations.Get":            func() error { return errOf(db.Invitations.Get(ctx, in.org, a.invitation.ID)) },
			"Invitations.GetWithInviter": func() error { return errOf(db.Invitations.GetWithInviter(ctx, in.org, a.invitation.ID)) },
			"Invitations.GetPending":     func() error { return errOf(db.Invitations.GetPending(ctx, in.org, a.invitation.Email)) },
			"Invitations.Accept": func() error {
				return errOf(db.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: a.invitation.ID, UserID: recipient(), AllowUnverified: true}))
			},
			"Invitations.Reject": func() error {
				return errOf(db.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: a.invitation.ID, UserID: recipient(), AllowUnverified: true}))
			},
			"Invitations.GetByRecipient": func() error {
				return errOf(db.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{InvitationID: a.invitation.ID, UserID: recipient()}))
			},
			"Users.VerifyEmail": func() error {
				return errOf(db.Users.VerifyEmail(ctx, in.user, authdb.VerifyEmailParams{Email: a.user.Email}))
			},
			"Invitations.Cancel": func() error { return errOf(db.Invitations.Cancel(ctx, in.org, a.invitation.ID)) },
			"Invitations.Delete": func() error { return db.Invitations.Delete(ctx, in.org, a.invitation.ID) },
		}},
		{other, errNone, calls{
			"Sessions.List":         func() error { return inPages(ctx, db.Sessions.List, authdb.ListSessionsParams{UserID: in.user}) },
			"Sessions.All":          func() error { return inAll(db.Sessions.All(ctx, authdb.ListSessionsParams{UserID: in.user})) },
			"Sessions.Count":        func() error { return counted(db.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: in.user})) },
			"Sessions.DeleteByUser": func() error { return some(db.Sessions.DeleteByUser(ctx, in.user)) },
			"Sessions.DeleteOthers": func() error { return some(db.Sessions.DeleteOthers(ctx, in.user, "another")) },
			"Accounts.List":         func() error { return inPages(ctx, db.Accounts.List, authdb.ListAccountsParams{UserID: in.user}) },
			"Accounts.All":          func() error { return inAll(db.Accounts.All(ctx, authdb.ListAccountsParams{UserID: in.user})) },
			"Accounts.Count":        func() error { return counted(db.Accounts.Count(ctx, authdb.ListAccountsParams{UserID: in.user})) },
			"Accounts.DeleteByUser": func() error { return counted(db.Accounts.DeleteByUser(ctx, in.user)) },
			"Members.List":          func() error { return inPages(ctx, db.Members.List, authdb.ListMembersParams{OrganizationID: in.org}) },
			"Members.All":           func() error { return inAll(db.Members.All(ctx, authdb.ListMembersParams{OrganizationID: in.org})) },
			"Members.ListByUser": func() error {
				return inPages(ctx, db.Members.ListByUser, authdb.ListMembersByUserParams{UserID: in.user})
			},
			"Members.AllByUser": func() error { return inAll(db.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: in.user})) },
			"Organizations.ListByUser": func() error {
				return inPages(ctx, db.Organizations.ListByUser, authdb.ListOrganizationsByUserParams{UserID: in.user})
			},
			"Organizations.AllByUser": func() error {
				return inAll(db.Organizations.AllByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: in.user}))
			},
			"Members.Count": func() error { return counted(db.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: in.org})) },
			"Members.CountByUser": func() error {
				return counted(db.Members.CountByUser(ctx, authdb.ListMembersByUserParams{UserID: in.user}))
			},
			"Teams.List":                func() error { return inPages(ctx, db.Teams.List, authdb.ListTeamsParams{OrganizationID: in.org}) },
			"Teams.All":                 func() error { return inAll(db.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: in.org})) },
			"Teams.RecountMembers":      func() error { return counted(db.Teams.RecountMembers(ctx, in.org)) },
			"Invitations.CancelExpired": func() error { return counted(db.Invitations.CancelExpired(ctx, in.org)) },
			"Teams.Count":               func() error { return counted(db.Teams.Count(ctx, authdb.ListTeamsParams{OrganizationID: in.org})) },
			"TeamMembers.List": func() error {
				return inPages(ctx, db.TeamMembers.List, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.team.ID})
			},
			"TeamMembers.All": func() error {
				return inAll(db.TeamMembers.All(ctx, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.team.ID}))
			},
			"TeamMembers.ListByUser": func() error {
				return inPages(ctx, db.TeamMembers.ListByUser, authdb.ListTeamMembersByUserParams{UserID: in.user})
			},
			"TeamMembers.AllByUser": func() error {
				return inAll(db.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: in.user}))
			},
			"TeamMembers.Count": func() error {
				return counted(db.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: in.org, TeamID: a.team.ID}))
			},
			"Invitations.List": func() error {
				return inPages(ctx, db.Invitations.List, authdb.ListInvitationsParams{OrganizationID: in.org, TeamID: a.team.ID})
			},
			"Invitations.All": func() error {
				return inAll(db.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: in.org, TeamID: a.team.ID}))
			},
			"Invitations.ListByRecipient": func() error {
				return inPages(ctx, db.Invitations.ListByRecipient, authdb.ListInvitationsByRecipientParams{UserID: recipient()})
			},
			"Invitations.AllByRecipient": func() error {
				return inAll(db.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: recipient()}))
			},
			"Invitations.Count": func() error {
				return counted(db.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: in.org}))
			},
		}},
	} {
		for method, call := range group.calls {
			covered = append(covered, method)
			t.Run(method, func(t *testing.T) {
				db, in, a = s.Store, group.in, newTenant(t, s)
				exec(t, s.Store, `UPDATE team SET member_count = 9 WHERE id = $1`, a.team.ID)
				exec(t, s.Store, `INSERT INTO invitation (id, organization_id, email, expires_at, inviter_id)
					VALUES ('expired' || $1, $1, 'late@example.com', '2000-01-01', $2)`, a.org.ID, a.user.ID)
				want := readTables(t, s.Store)
				err := call()
				if e, ok := errors.AsType[*authdb.Error](err); !errors.Is(err, group.want) || ok && e.Op != method {
					t.Errorf("out of scope: %v, want %v", err, group.want)
				}
				s.holds(t, want)
				undo := errors.New("undo")
				if err := s.InTx(ctx, func(tx *authdb.Store) error {
					db, in = tx, scope{a.org.ID, a.user.ID}
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
	files := must[[]string](t)(filepath.Glob("*.go"))
	scopedParams, funcs := map[string]bool{}, []*ast.FuncDecl{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)), func(n ast.Node) bool {
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
