package repo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"time"
)

// about identifies a call under a key by its method and a digest of all its arguments. Without a key it is the method.
func about[P any](ctx context.Context, name string, p P) string {
	if _, named := keyOf(ctx); !named {
		return name
	}
	h := sha256.New()
	digest(h, reflect.ValueOf(p), varies)
	for a := columnsOf(ctx); a != nil; a = a.before {
		if a.dests != nil {
			continue // reads change nothing
		}
		_, _ = fmt.Fprintf(h, "%q %q;", a.table, a.names)
		for _, arg := range a.args {
			v := reflect.ValueOf(arg)
			named(h, v)
			digest(h, v, nil)
		}
	}
	return name + " " + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// named writes the type of a value, since two types with the same fields can encode them differently.
func named(w io.Writer, v reflect.Value) {
	if v.IsValid() {
		namedType(w, v.Type())
	}
}

// namedType writes a type with the packages of its parts, since two types may have one name.
func namedType(w io.Writer, t reflect.Type) {
	_, _ = fmt.Fprintf(w, "%s %s;", t.PkgPath(), t)
	if t.Name() != "" {
		return
	}
	switch t.Kind() {
	case reflect.Map:
		namedType(w, t.Key())
		fallthrough
	case reflect.Pointer, reflect.Slice, reflect.Array:
		namedType(w, t.Elem())
	}
}

// args are two arguments as one.
type args[A, B any] struct {
	First  A
	Second B
}

// Given are two arguments of a call as one.
func Given[A, B any](a A, b B) any { return args[A, B]{a, b} }

// varies matches fields that, like times, may differ when the same call is made again: a password's hash has a new
// salt, and a change makes the former address another. Only whether they are set counts.
var varies = regexp.MustCompile(`^(Former|Password|AccessToken|RefreshToken|IDToken)$`)

// digest writes a text to w that is unique to the value, except for times and for what fields named in varies hold. It
// calls no method of the value.
func digest(w io.Writer, v reflect.Value, varies *regexp.Regexp) {
	_, _ = fmt.Fprintf(w, "%s:", v.Kind())
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		_, _ = fmt.Fprintf(w, "%t;", v.IsNil()) // nil is NULL, not empty
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Interface {
			named(w, v.Elem())
		}
		if !v.IsNil() {
			digest(w, v.Elem(), varies)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for field, value := range v.Fields() { // types declared in two functions may have one name
			_, _ = fmt.Fprintf(w, "%s %q ", field.Name, field.Tag)
			named(w, value)
			if varies == nil || !varies.MatchString(field.Name) {
				digest(w, value, varies)
			} else if value.Kind() == reflect.Pointer {
				_, _ = fmt.Fprintf(w, "%t;", value.IsNil())
			}
		}
	case reflect.Slice, reflect.Array:
		_, _ = fmt.Fprintf(w, "%d:", v.Len())
		for i := range v.Len() {
			digest(w, v.Index(i), varies)
		}
	case reflect.Map:
		entries := make([]string, 0, v.Len())
		for key, value := range v.Seq2() {
			h := sha256.New()
			digest(h, key, varies)
			digest(h, value, varies)
			entries = append(entries, string(h.Sum(nil)))
		}
		slices.Sort(entries)
		_, _ = fmt.Fprintf(w, "%q;", entries)
	case reflect.String:
		_, _ = fmt.Fprintf(w, "%q;", v.String())
	case reflect.Bool:
		_, _ = fmt.Fprintf(w, "%t;", v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		_, _ = fmt.Fprintf(w, "%d;", v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		_, _ = fmt.Fprintf(w, "%d;", v.Uint())
	case reflect.Float32, reflect.Float64:
		_, _ = fmt.Fprintf(w, "%x;", v.Float())
	case reflect.Complex64, reflect.Complex128:
		_, _ = fmt.Fprintf(w, "%x;", v.Complex())
	}
}
