package authdb

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// canonicalEmail is the form in which the server stores and looks up an address: JavaScript's toLowerCase, which
// differs from [strings.ToLower] for İ and for a Σ that ends a word. One address must not become two users.
func canonicalEmail(s string) string {
	if len(s) > maxKey*utf8.UTFMax || !utf8.ValidString(s) {
		return s // the checks refuse it: lower-casing would cost time, or repair it
	}
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && endsWord(runes, i):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// endsWord is Unicode's Final_Sigma condition (SpecialCasing.txt), as ICU reads it.
func endsWord(runes []rune, i int) bool {
	before, after := i-1, i+1
	for before >= 0 && isCaseIgnorable(runes[before]) {
		before--
	}
	for after < len(runes) && isCaseIgnorable(runes[after]) {
		after++
	}
	return before >= 0 && isCased(runes[before]) && (after == len(runes) || !isCased(runes[after]))
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// isCaseIgnorable is Unicode's Case_Ignorable: marks, formats and modifiers, and the word-inner punctuation of UAX 29.
func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}

// isUnprintable reports whether a character could make two addresses look like one: spaces, controls, formats.
func isUnprintable(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs)
}
