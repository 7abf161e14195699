// Package authdb is typed access from Go to the database that ZeroStarter and Better Auth applications share: users,
// sessions, accounts, verifications, organizations, members, teams, team members and invitations on PostgreSQL. It
// works on the very rows that a Better Auth server (TypeScript, Drizzle) reads and writes.
//
// # Open
//
//	store, err := authdb.Open(ctx, os.Getenv("DATABASE_URL"))
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//
// [Open] makes a store with its own pool; [New] works on the caller's pool, connection or transaction. The schema comes
// from cmd/migrate or from Drizzle: both make the same. A [Store] has a repository for each table, with Create, Get,
// List, Update, Delete and the lookups that the domain needs:
//
//	user, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
//	auth, err := store.Sessions.Authenticate(ctx, token) // the live session, its user, membership and team
//
// A row of an organization or a user is reached only together with that one's id, so that an id taken from a request
// opens nobody else's row:
//
//	member, err := store.Members.Get(ctx, org.ID, memberID)
//
// # Operations
//
// A rule is decided in the transaction that writes, so it holds however many programs write at once: an organization
// keeps an owner, an address has one pending invitation, a code works once.
//
//	inv, err := store.Invitations.Create(ctx, authdb.CreateInvitationParams{
//		OrganizationID: org.ID, InviterID: ada.ID, Email: "grace@example.com", Role: authdb.RoleAdmin,
//	})
//	accepted, err := store.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: inv.ID, UserID: grace.ID})
//	err = store.Members.Leave(ctx, org.ID, ada.ID) // ErrLastOwner
//
// # Lists
//
// List returns a page of rows in the order of creation, or newest first with Newest. Any page is as fast as the first.
// All iterates over the rows of all pages, and Count counts what List selects:
//
//	for member, err := range store.Members.All(ctx, authdb.ListMembersParams{OrganizationID: org.ID}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(member.User.Name, member.Role)
//	}
//
// # Relations
//
// Get returns only the row; a Get that joins another one says so, such as GetWithUser. List joins what a screen shows
// beside each row, as its type says, such as [MemberWithUser]. GetFull is Get with what belongs to the row, in one
// round trip and as of one moment. Load does the same for any number of rows that were read before:
//
//	full, err := store.Organizations.GetFull(ctx, org.ID, authdb.OrganizationWith{
//		Members: authdb.Oldest(20), Teams: authdb.All(), TeamMembers: authdb.All(),
//	})
//
// # Updates
//
// A field of an update that is not set leaves its column; each is a [Change], which also decodes from JSON:
//
//	store.Users.Update(ctx, user.ID, authdb.UpdateUserParams{
//		Name:  authdb.Set("Ada Lovelace"),
//		Image: authdb.SetNull[string](),
//	})
//
// The params of a Create have ids and owners. Do not decode a request's body into them.
//
// # Columns of your own
//
// [NewColumns] looks up columns that additionalFields and plugins have added to a table. A context then asks for them,
// or holds what to store in them, in any call that gets it:
//
//	profiles, err := authdb.NewColumns[Profile](ctx, store, "user") // at the start
//	...
//	ctx = profiles.Read(ctx)
//	me, err := store.Sessions.Authenticate(ctx, token)
//	profile, ok := profiles.Of(ctx, me.User.ID)
//
// # Transactions
//
// [Store.InTx] runs several writes as one, and runs them again if nothing was applied and the reason may pass. Inside
// another transaction it makes a savepoint. The caller's own SQL, and other libraries', takes part by [Store.Tx].
// [Store.WithTx] gives the same store on a transaction that the caller began. [Store.InTxWith] begins a transaction
// that only reads, or is REPEATABLE READ or SERIALIZABLE.
//
//	err := store.InTx(ctx, func(tx *authdb.Store) error {
//		user, err := tx.Users.Create(ctx, params)
//		if err != nil {
//			return err
//		}
//		_, err = tx.Tx().Exec(ctx, "INSERT INTO customer (user_id) VALUES ($1)", user.ID)
//		return err
//	})
//
// # Packages beside it
//
//   - [github.com/zerostarter/authdb/betterauth]: the server's cookies and hashes, and guards for HTTP handlers
//   - [github.com/zerostarter/authdb/signin]: sign-in, sign-up, password resets and codes, as the server does them
//   - [github.com/zerostarter/authdb/admin]: bans, platform roles and impersonation
//   - [github.com/zerostarter/authdb/apikey]: API keys
//   - [github.com/zerostarter/authdb/permission]: what a role may do
//   - [github.com/zerostarter/authdb/authdbtest]: a database for each test
//   - [github.com/zerostarter/authdb/migrate]: cmd/migrate as a library
//
// # Traces and logs
//
// [Method] tells a tracer which method it traces; [WithLogger] logs what was repeated.
//
// # Errors
//
// Every error is an [*Error], and errors.Is tells its kind: [ErrNotFound], [ErrConflict] (which [ErrEmailTaken] and
// [ErrSlugTaken] are), [ErrReference], [ErrInvalidInput], or a rule such as [ErrLastOwner]. No error shows a value of
// a row. Tokens, password hashes and what a verification holds are a [Secret], which nothing prints, logs or encodes.
//
// # Time, ids, concurrency, stability
//
// Every time is UTC with milliseconds, as Better Auth writes it, whatever the zone of the argument, the session or the
// machine. Ids and tokens are 32 random characters of a-zA-Z0-9. A Store on a pool is safe for concurrent use. Until
// version 1 an upgrade may change the API; the changelog says how.
package authdb
