package methods_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

// TestStandbyMethods calls each method on a standby: those that docs/scale.md lists find there what they find on the
// primary, all others are refused and say why. make docs writes that table.
func TestStandbyMethods(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := kit.Must[*pgserver.Server](t)(pgserver.Start(ctx, pgserver.Options{Private: true, Settings: pgserver.Replicates}))
	t.Cleanup(func() { _ = server.Stop() })
	m := kit.Must[*migrate.Migrator](t)(migrate.Open(ctx, server.DSN(), migrate.Options{}))
	if err := errors.Join(m.Up(ctx), m.Close()); err != nil {
		t.Fatal(err)
	}
	standby := kit.Must[*pgserver.Server](t)(server.Standby(ctx))
	t.Cleanup(func() { _ = standby.Stop() })
	clock := authdb.WithClock(func() time.Time { return kit.Today })
	var pools [2]*pgxpool.Pool
	for i, s := range []*pgserver.Server{server, standby} {
		pools[i] = kit.Must[*pgxpool.Pool](t)(pgxpool.New(ctx, s.DSN()))
		t.Cleanup(pools[i].Close)
	}
	w := kit.Must[kit.Estate](t)(kit.NewEstate(ctx, pools[0], "1", "org", "owner"))
	store := authdb.New(pools[1], clock)
	if err := store.WaitFor(ctx, kit.Must[authdb.Position](t)(authdb.New(pools[0]).Position(ctx))); err != nil {
		t.Fatal(err)
	}
	var reads []string
	rows := map[string]string{} // of the table, by repository
	for _, name := range kit.KeysOf(kit.MethodCalls) {
		switch err := kit.MethodCalls[name](ctx, store, w); {
		case err == nil:
			reads = append(reads, name)
			repository, method, _ := strings.Cut(name, ".")
			rows[repository] += ", `" + method + "`"
		case !errors.Is(err, authdb.ErrReadOnly):
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(reads) < 70 {
		t.Errorf("only %q", reads)
	}
	doc := string(kit.Must[[]byte](t)(os.ReadFile("../../docs/scale.md")))
	const begin = "| repository | methods that run on a standby |\n|---|---|\n"
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, ok2 := strings.Cut(rest, "\n\n")
	if !ok || !ok2 {
		t.Fatal("docs/scale.md has no table of what runs on a standby")
	}
	var table []string
	for _, repository := range reflect.VisibleFields(reflect.TypeFor[authdb.Store]()) {
		if methods := rows[repository.Name]; methods != "" {
			table = append(table, fmt.Sprintf("| %s | %s |", repository.Name, methods[len(", "):]))
		}
	}
	sameDoc(t, "../../docs/scale.md", head+begin+strings.Join(table, "\n")+"\n\n"+tail)
	t.Logf("%d of %d methods run on a standby, all others are refused", len(reads), len(kit.MethodCalls))
}
