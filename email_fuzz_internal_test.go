package authdb

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestOnlyKelvinBecomesASCII looks at every character: of those beyond ASCII, KELVIN SIGN alone has a form in ASCII, so
// no other makes an address that is somebody's in plain letters. No form has another form.
func TestOnlyKelvinBecomesASCII(t *testing.T) {
	t.Parallel()
	var plain []rune
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, around := range []string{"", "a"} {
			form := canonicalEmail(around + string(r) + around)
			if isASCII(form) && around == "" {
				plain = append(plain, r)
			}
			if again := canonicalEmail(form); again != form {
				t.Errorf("%U becomes %+q, then %+q", r, form, again)
			}
		}
	}
	if !slices.Equal(plain, []rune{'\u212a'}) {
		t.Errorf("%U have a form in ASCII", plain)
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// FuzzEmailAddress holds what a stored address is relied upon for, whatever was given.
func FuzzEmailAddress(f *testing.F) {
	for _, s := range []string{
		"Ada@Example.com", "\u212a@x.io", "\u0131@x.io", "\u0130@x.io", "\u017f@x.io", "\u1e9e@x.io", "ΟΔΟΣ@x.io", "Σ@Σ", "aΣ\u0301b@x",
		"a\x00@x", "a\xff@x", "a\xed\xa0\x80@x", "a\r\n@x", " a@x", "a@x\u00a0", "a\u200b@x", "a\u202e@x", "a＠x", "a@b@c", "@", "",
		strings.Repeat("\u0130", 250) + "@x.io", strings.Repeat("K", 249) + "@x.io", strings.Repeat("😀", 252) + "@x",
		strings.Repeat("a", 4*maxEmail) + "İ@x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form := canonicalEmail(s)
		if again := canonicalEmail(form); again != form {
			t.Errorf("%+q becomes %+q, then %+q", s, form, again)
		}
		if isASCII(s) && len(s) <= maxEmail && form != strings.ToLower(s) {
			t.Errorf("%+q becomes %+q", s, form)
		}
		if isASCII(form) && !isASCII(strings.ReplaceAll(s, "\u212a", "k")) {
			t.Errorf("%+q becomes %+q", s, form)
		}
		refused := emailAddress(form)
		if refused.reason != "" {
			return
		}
		local, host, _ := strings.Cut(form, "@")
		switch {
		case !utf8.ValidString(s), utf8.RuneCountInString(form) > maxEmail, local == "", host == "", strings.Count(form, "@") != 1:
			t.Errorf("%+q is accepted as %+q", s, form)
		case strings.ContainsFunc(form, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
			t.Errorf("%+q is accepted with what cannot be seen: %+q", s, form)
		case strings.ContainsFunc(form, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsUpper(r) }):
			t.Errorf("%+q is accepted in upper case: %+q", s, form)
		}
	})
}
