package methods_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/internal/pgserver"
	"github.com/zerostarter/authdb/migrate"
)

// TestStandbyMethods calls each method on a standby: those that docs/scale.md lists find there what they find on the
// primary, all others are refused and say why.
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
	for _, name := range kit.KeysOf(kit.MethodCalls) {
		switch err := kit.MethodCalls[name](ctx, store, w); {
		case err == nil:
			reads = append(reads, name)
		case !errors.Is(err, authdb.ErrReadOnly):
			t.Errorf("%s: %v", name, err)
		}
	}
	doc := string(kit.Must[[]byte](t)(os.ReadFile("../../docs/scale.md")))
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| (\\w+) \\| (`.*`) \\|$").FindAllStringSubmatch(doc, -1) {
		for _, method := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			listed = append(listed, row[1]+"."+method[1])
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(listed, reads); diff != "" || len(reads) < 70 {
		t.Errorf("%d of %d methods run on a standby (-docs/scale.md +run):\n%s", len(reads), len(kit.MethodCalls), diff)
	}
	t.Logf("%d of %d methods run on a standby, all others are refused", len(reads), len(kit.MethodCalls))
}
