package repo

import (
	"encoding"
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// known are the types that pgx knows by itself. The map caches plans as it encodes, so one caller at a time uses it.
var known = struct {
	mu sync.Mutex
	*pgtype.Map
}{Map: pgtype.NewMap()}

// fits reports whether a value can be sent and is stored unchanged. pgx closes the connection if it finds only while
// sending that it cannot encode a value, and it changes some others. Encoding is not checked for a type that only a
// connection knows. base is the type that oid is a domain or an array of.
func fits(oid, base uint32, arg any) bool {
	known.mu.Lock()
	defer known.mu.Unlock()
	if anyOf(reflect.ValueOf(arg), func(v reflect.Value) bool { return isBadText(v) || isLost(base, v) }) {
		return false
	}
	if (base == pgtype.JSONOID || base == pgtype.JSONBOID) && altersText(reflect.ValueOf(arg)) {
		return false
	}
	kind, ok := known.TypeForOID(oid)
	if !ok {
		return true
	}
	_, err := known.Encode(oid, known.FormatCodeForOID(oid), arg, nil)
	text, ok := arg.(string)
	if p, isPointer := arg.(*string); isPointer && p != nil {
		text, ok = *p, true
	}
	if err != nil && ok { // pgx sends it as it is
		_, err = kind.Codec.DecodeValue(known.Map, oid, pgtype.TextFormatCode, []byte(text))
	}
	return err == nil
}

// anyOf reports whether is holds for v or, if v is a list, for one of its values.
func anyOf(v reflect.Value, is func(reflect.Value) bool) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Pointer, reflect.Interface:
		return anyOf(v.Elem(), is)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				if anyOf(v.Index(i), is) {
					return true
				}
			}
			return false
		}
	}
	return is(v)
}

// isBadText reports whether v is a string that PostgreSQL cannot store.
func isBadText(v reflect.Value) bool {
	return v.Kind() == reflect.String && (strings.IndexByte(v.String(), 0) >= 0 || !utf8.ValidString(v.String()))
}

// altersText reports whether encoding/json would replace bytes in v that are not UTF-8. It cannot look into a type that
// encodes itself.
func altersText(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	if p := reflect.PointerTo(v.Type()); v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface &&
		(p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())) {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return altersText(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if altersText(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if altersText(key) || altersText(value) {
				return true
			}
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-" && altersText(value) {
				return true
			}
		}
	}
	return false
}

// maxName is the longest name in PostgreSQL, in bytes.
const maxName = 63

// isLost reports whether pgx, or PostgreSQL when it reads the value, would silently change it. Rounding to what the
// type can hold does not count.
func isLost(base uint32, v reflect.Value) bool {
	switch base {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.XIDOID:
		whole, ok := textOf(base, v)
		exact, _ := textOf(pgtype.NumericOID, v)
		return ok && exact != "" && whole != exact
	case pgtype.Float4OID:
		text, _ := textOf(pgtype.Float8OID, v)
		f, err := strconv.ParseFloat(text, 64)
		small := float64(float32(f))
		return err == nil && (math.IsInf(small, 0) != math.IsInf(f, 0) || small == 0 && f != 0)
	case pgtype.NameOID:
		text, _ := textOf(pgtype.TextOID, v)
		return len(text) > maxName
	case pgtype.UUIDOID: // pgx pads a short one
		return v.Kind() == reflect.Slice && v.Len() != 16 && !v.IsNil()
	case pgtype.InetOID, pgtype.CIDROID:
		addr, ok := v.Interface().(netip.Addr)
		return ok && addr.Zone() != ""
	}
	return false
}

// textOf is the text of a value encoded as that type, if it can be.
func textOf(oid uint32, v reflect.Value) (string, bool) {
	text, err := known.Encode(oid, pgtype.TextFormatCode, v.Interface(), nil)
	return string(text), err == nil
}

// timed makes the times in an argument fit their column: a timestamp as utc does; a date or a time of day as read in
// the value's own zone.
func timed(base uint32, arg any) any {
	switch base {
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return withTimes(arg, utc)
	case pgtype.DateOID, pgtype.TimeOID:
		return withTimes(arg, func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		})
	}
	return arg
}

func withTimes(arg any, as func(time.Time) time.Time) any {
	if arg == nil {
		return nil
	}
	copied := reflect.New(reflect.TypeOf(arg)).Elem()
	copied.Set(reflect.ValueOf(arg))
	mapTimes(copied, as)
	return copied.Interface()
}

// mapTimes changes the times in v, also in lists, behind pointers, and in structs such as sql.NullTime. It copies what
// v shares with the caller.
func mapTimes(v reflect.Value, as func(time.Time) time.Time) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(as(v.Interface().(time.Time))))
	case v.Kind() == reflect.Pointer && !v.IsNil(), v.Kind() == reflect.Interface && !v.IsNil():
		to := reflect.New(v.Elem().Type())
		to.Elem().Set(v.Elem())
		mapTimes(to.Elem(), as)
		if v.Kind() == reflect.Interface {
			to = to.Elem()
		}
		v.Set(to)
	case v.Kind() == reflect.Slice && !v.IsNil():
		to := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(to, v)
		v.Set(to)
		fallthrough
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			mapTimes(v.Index(i), as)
		}
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				mapTimes(field, as)
			}
		}
	}
}
