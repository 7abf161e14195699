package authdb

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zerostarter/authdb/internal/repo"
)

// TestCanonicalEmailIsJavaScripts compares with what the other side's toLowerCase gave.
func TestCanonicalEmailIsJavaScripts(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/lowercase.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors [][2]string
	if err := json.Unmarshal(content, &vectors); err != nil {
		t.Fatal(err)
	}
	folded := 0
	for _, v := range vectors {
		if got := canonicalEmail(v[0]); got != v[1] {
			t.Errorf("%+q: got %+q, want %+q", v[0], got, v[1])
		}
		folded += utf8.RuneCountInString(v[0])
	}
	if folded < 1_400 {
		t.Errorf("only %d characters tried", folded)
	}
}

func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"Ada@Example.com", "İΣ@x", "a\xffB", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := canonicalEmail(s)
		if twice := canonicalEmail(once); twice != once {
			t.Errorf("%+q becomes %+q, then %+q", s, once, twice)
		}
		if utf8.ValidString(s) != utf8.ValidString(once) {
			t.Errorf("%+q: validity changed", s)
		}
	})
}

func TestChecks(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("é", n) }
	for name, tt := range map[string]struct {
		got  fault
		want string
	}{
		"key":                    {id("id", "x"), ""},
		"key empty":              {id("id", ""), "empty"},
		"key at its limit":       {id("id", long(255)), ""},
		"key over its limit":     {id("id", long(2705)), "too long"},
		"text empty":             {text("name", "", maxName), ""},
		"text at its limit":      {text("name", long(maxName), maxName), ""},
		"text over its limit":    {text("name", long(maxName+1), maxName), "too long"},
		"text with NUL":          {text("name", "a\x00b", maxName), "NUL byte"},
		"text with bad UTF-8":    {text("name", "a\xffb", maxName), "not UTF-8"},
		"text with surrogate":    {text("name", "a\xed\xa0\x80b", maxName), "not UTF-8"},
		"text overlong":          {text("name", "a\xc0\x80b", maxName), "not UTF-8"},
		"10 MB":                  {text("token", strings.Repeat("a", 10<<20), maxToken), "too long"},
		"optional nil":           {optional[string]("image", nil, maxURL), ""},
		"optional empty":         {optional("image", new(""), maxURL), ""},
		"optionalRequired nil":   {optionalRequired("slug", nil, maxSlug), ""},
		"optionalRequired empty": {optionalRequired("slug", new(""), maxSlug), "empty"},
		"e-mail":                 {emailAddress("ada+tag@example.com"), ""},
		"e-mail, other scripts":  {emailAddress("почта@пример.рф"), ""},
		"e-mail empty":           {emailAddress(""), "empty"},
		"e-mail at its limit":    {emailAddress(strings.Repeat("a", 242) + "@example.com"), ""},
		"e-mail over its limit":  {emailAddress(strings.Repeat("a", 243) + "@example.com"), "too long"},
		"e-mail without @":       {emailAddress("ada"), "malformed"},
		"e-mail with two @":      {emailAddress("a@b@c"), "malformed"},
		"e-mail without name":    {emailAddress("@b"), "malformed"},
		"e-mail without host":    {emailAddress("a@"), "malformed"},
		"e-mail, space behind":   {emailAddress("a@b.c "), "malformed"},
		"e-mail, tab before":     {emailAddress("\ta@b.c"), "malformed"},
		"e-mail, line break":     {emailAddress("a@b.c\r\nBcc: d@e.f"), "malformed"},
		"e-mail, zero width":     {emailAddress("a\u200b@b.c"), "malformed"},
		"e-mail, right to left":  {emailAddress("a\u202e@b.c"), "malformed"},
		"e-mail, fullwidth @":    {emailAddress("a＠b.c"), "malformed"},
		"time zero":              {instant("expires_at", &time.Time{}), ""},
		"time required":          {requiredInstant("expires_at", time.Time{}), "empty"},
		"year 9999":              {instant("expires_at", new(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))), ""},
		"year 10000":             {instant("expires_at", new(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))), "out of range"},
		"year 0":                 {instant("expires_at", new(time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC))), "out of range"},
		"limit 0":                {pageSize(0), ""},
		"limit huge":             {pageSize(10_000), ""},
		"limit too huge":         {pageSize(10_001), "out of range"},
		"cursor by hand":         {pageOf(CursorAt(time.Now(), "a\x00"), 0), "NUL byte"},
		"limit negative":         {pageSize(-1), "out of range"},
		"list":                   {eachOf("token", []string{"a", ""}, maxToken), "empty"},
		"team with a comma":      {teamList([]string{"a", "b,c"}), "malformed"},
		"teams too many":         {teamList(strings.Split(strings.Repeat("0123456789,", 1_600), ",")[:1_600]), "too long"},
		"credential of another":  {credentialAccountID(CreateAccountParams{ProviderID: "credential", UserID: "a", AccountID: "b"}), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.got.reason != tt.want {
				t.Errorf("got %q, want %q", tt.got.reason, tt.want)
			}
		})
	}
}

// TestLimits holds the limits that reliability demands: an indexed column's must stay below what btree takes.
func TestLimits(t *testing.T) {
	t.Parallel()
	got := []int{maxID, maxToken, maxEmail, maxSlug, maxName, maxURL, maxUserAgent, maxCredential, maxMetadata, maxValue}
	want := []int{255, 512, 254, 63, 255, 2048, 1024, 16_384, 65_536, 65_536}
	if !slices.Equal(got, want) {
		t.Errorf("limits %v, want %v", got, want)
	}
	for _, indexed := range []int{maxToken, 2 * maxID, maxEmail, maxSlug} { // two ids: a key of two columns
		if indexed*utf8.UTFMax > 2_600 {
			t.Errorf("%d characters do not fit an index", indexed)
		}
	}
}

// TestCheckNamesTheField: the first fault counts, and a faulty key is one that no row has.
func TestCheckNamesTheField(t *testing.T) {
	t.Parallel()
	if err := check("Users.Get"); err != nil {
		t.Errorf("no fault: %v", err)
	}
	err := check("Teams.Update", id("organization_id", "x"), text("name", "\x00", maxName), id("id", ""))
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Op != "Teams.Update" || e.Field != "name" || e.Reason != "NUL byte" {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, ErrInvalidInput) || errors.Is(err, ErrNotFound) {
		t.Errorf("a faulty value: %v", err)
	}
	if err := check("Sessions.GetByToken", key("token", "\x00")); !errors.Is(err, ErrInvalidInput) || !errors.Is(err, ErrNotFound) {
		t.Errorf("a faulty key: %v", err)
	}
}

// TestOutcomesHaveAMeaning: each word that a query decides by is a refusal, and the other way round.
func TestOutcomesHaveAMeaning(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("db/queries/*.sql") // those of admin decide nothing
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { // whose words packages of plugins know
		return slices.Contains([]string{"apikey.sql", "signin.sql"}, filepath.Base(file))
	})
	unused := maps.Clone(refusals)
	delete(unused, repo.ErrInTransaction) // before anything is sent
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for verdict := range strings.SplitSeq(string(content), "SELECT CASE") {
			verdict, _, _ = strings.Cut(verdict, "END::text AS outcome")
			for _, word := range regexp.MustCompile(`THEN '([^']+)'`).FindAllStringSubmatch(verdict, -1) {
				word := repo.RefusalError(word[1])
				if _, ok := refusals[word]; !ok && word != repo.ErrAlreadyAccepted && word != repo.ErrBanOver { // which have a way of their own
					t.Errorf("%s: %q means nothing", file, word)
				}
				delete(unused, word)
			}
		}
	}
	if len(unused) > 0 {
		t.Errorf("no query says %v", slices.Sorted(maps.Keys(unused)))
	}
	if err := translate("Op", repo.RefusalError("whatever")); err == nil || strings.Contains(err.Error(), "whatever") {
		t.Errorf("an unknown word: %v", err)
	}
}

func TestCursorAsText(t *testing.T) {
	t.Parallel()
	for _, c := range []Cursor{
		{},
		{time.Date(2026, 7, 1, 12, 0, 0, 123_456_000, time.UTC), "abc"},
		{time.Time{}, "row without a time"},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), "é"},
	} {
		encoded, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Cursor
		if err := json.Unmarshal(encoded, &back); err != nil || back != c {
			t.Errorf("%v came back as %v, %v", c, back, err)
		}
		if text := c.String(); `"`+text+`"` != string(encoded) {
			t.Errorf("%v: %q, in JSON %s", c, text, encoded)
		}
		if back, err := ParseCursor(c.String()); err != nil || back != c || CursorAt(back.Key()) != c {
			t.Errorf("%v parsed as %v, %v", c, back, err)
		}
		if back.IsZero() != (c == Cursor{}) {
			t.Errorf("%v: IsZero %v", c, back.IsZero())
		}
	}
}

// TestCursorAt: whatever precision and zone a query gives its times in.
func TestCursorAt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 7200))
	if got, want := CursorAt(at, "x"), (Cursor{time.Date(2026, 7, 1, 10, 0, 0, 123_456_000, time.UTC), "x"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if !CursorAt(time.Time{}, "").IsZero() || CursorAt(time.Time{}, "x").IsZero() {
		t.Error("the start is the zero time without an id")
	}
	if _, err := ParseCursor("!"); !errors.Is(err, ErrInvalidInput) {
		t.Errorf("got %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "AAAA", "AAY_KTbHXkBhYmM", "=", "AAAAAAAAAAAA", "____________AAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c Cursor
		if err := c.UnmarshalText([]byte(s)); err != nil {
			if !errors.Is(err, ErrInvalidInput) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseCursor(c.String())
		if err != nil || again != c || CursorAt(again.Key()) != c {
			t.Errorf("%q: decodes to %v, then %v", s, c, again)
		}
		if c.from(true).IsZero() || c.from(false).IsZero() || !c.IsZero() && (c.from(false) != c || c.from(true) != c) {
			t.Errorf("%q: %v is no place", s, c)
		}
		if strings.ContainsRune(c.id, 0) || !utf8.ValidString(c.id) {
			t.Errorf("%q: an id that PostgreSQL refuses", s)
		}
	})
}
