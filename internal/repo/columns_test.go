package repo

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestColumnsRememberLittle: whatever choices of columns strangers make, and whatever else is read or written with them,
// so many texts are remembered, and each choice writes its own columns.
func TestColumnsRememberLittle(t *testing.T) {
	ctx := t.Context()
	const update = "-- name: UpdateUser :one\nUPDATE \"user\" SET name = $1 RETURNING id, name"
	wide := func(prefix string, n int) *Columns {
		c := &Columns{
			table: "user", list: regexp.MustCompile(`(^|[\s,])((?:\w+\.)?)id, name\b`), aliased: regexp.MustCompile(`(a)(b)c`),
			insert: regexp.MustCompile(`INSERT INTO "user" [(]`), update: regexp.MustCompile(`UPDATE "user" SET `),
		}
		for i := range n {
			c.names, c.types, c.casts = append(c.names, `"`+prefix+strconv.Itoa(i)+`"`), append(c.types, "text"), append(c.casts, "text")
			c.oids, c.bases = append(c.oids, 25), append(c.bases, 25)
		}
		return c
	}
	chosen, second, read, written := wide("a", 12), wide("b", 12), wide("c", 1), wide("d", 1)
	write := func(ctx context.Context, c *Columns, bits int) context.Context {
		var use []int
		for i := range c.names {
			if bits>>i&1 == 1 {
				use = append(use, i)
			}
		}
		return WithValues(ctx, c, use, make([]any, len(use)))
	}
	for i := range 1 << 12 {
		for _, bits := range [][2]int{{i, 0}, {1 + i%64, 1 + i/64}} { // of one, and of the remembered ones of two
			ctx := write(write(ctx, chosen, bits[0]), second, bits[1])
			ctx = WithColumns(write(ctx, written, 1), read, func() ([]any, func()) { return nil, nil })
			sql, _, _, _ := columnsOf(ctx).rewrite(update, nil)
			for at := range chosen.names {
				if want := bits[0]>>at&1 == 1; strings.Contains(sql, chosen.names[at]+" = ") != want {
					t.Fatalf("%b: %s", bits[0], sql)
				}
			}
		}
	}
	for name, m := range map[string]*sync.Map{"read": &read.reads, "written": &written.writes} {
		n := 0
		m.Range(func(any, any) bool { n++; return true })
		if n > maxTexts || n == 0 {
			t.Errorf("%s remembers %d texts", name, n)
		}
	}
}
