package faults_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// show prints a result in full, which rows with secrets do not do by themselves. Rows come in no order.
func show(v any) string { return showValue(reflect.ValueOf(v)) }

func showValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Invalid:
		return "nil"
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return showValue(v.Elem())
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, showValue(v.Index(i)))
		}
		slices.SortFunc(items, func(a, b string) int { return strings.Compare(unmade(a), unmade(b)) })
		return "[" + strings.Join(items, " ") + "]"
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			return at.Format(time.RFC3339Nano)
		}
		var fields []string
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Name, showValue(v.Field(i))
			fields = append(fields, name+":"+field)
		}
		return "{" + strings.Join(fields, " ") + "}"
	default:
		return fmt.Sprint(v.Interface())
	}
}
