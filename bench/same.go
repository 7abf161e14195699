package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// compared is a result whose fields are not the rows' own.
type compared interface{ compared() any }

var (
	timeType = reflect.TypeFor[time.Time]()
	plain    = strings.NewReplacer("_", "")
)

// flatten brings what a contender returns into a form that is the same for all: each row as its columns with their
// values, NULL left out, and the rows in order. A row is what a struct, or an object of JSON, holds by itself; what is
// embedded or nested is another.
func flatten(result any) []string {
	var rows []string
	walk(reflect.ValueOf(result), &rows)
	slices.Sort(rows)
	return rows
}

func walk(v reflect.Value, rows *[]string) {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return
	}
	if v.Kind() != reflect.Map && v.Kind() != reflect.Slice && v.CanInterface() {
		if c, ok := v.Interface().(compared); ok {
			walk(reflect.ValueOf(c.compared()), rows)
			return
		}
	}
	var row []string
	field := func(name string, v reflect.Value) {
		if text, isValue := value(v); !isValue {
			walk(v, rows)
		} else if text != "" {
			row = append(row, strings.ToLower(plain.Replace(name))+"="+text)
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				field(f.Name, v.Field(i))
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			field(key.String(), v.MapIndex(key))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), rows)
		}
	}
	if len(row) > 0 {
		slices.Sort(row)
		*rows = append(*rows, strings.Join(row, " "))
	}
}

// value is the text of a column's value, "" for NULL.
func value(v reflect.Value) (text string, isValue bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return "", true
		}
		v = v.Elem()
	}
	if v.Type() == timeType {
		return v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z"), true
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), true // also of a secret, which no format shows
	case reflect.Bool, reflect.Float64:
		return fmt.Sprint(v.Interface()), true
	case reflect.Int, reflect.Int32, reflect.Int64:
		return fmt.Sprint(v.Int()), true
	}
	return "", false
}

// differ says what is in one result only.
func differ(got, want []string) string {
	var text strings.Builder
	for _, only := range []struct {
		in, out []string
		title   string
	}{{got, want, "has"}, {want, got, "lacks"}} {
		for _, row := range only.in {
			if !slices.Contains(only.out, row) {
				fmt.Fprintf(&text, "\n  %s %s", only.title, row)
				break
			}
		}
	}
	if text.Len() == 0 && len(got) != len(want) {
		fmt.Fprintf(&text, "\n  %d rows instead of %d", len(got), len(want))
	}
	return text.String()
}
