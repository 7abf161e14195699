package authdb

import "encoding/json"

// Change says what an update does to a column. The zero value leaves it, [Set] sets a value, and [SetNull] sets NULL;
// for a column that cannot be NULL, that is [ErrInvalidInput]. In JSON an absent field leaves the column, null sets
// NULL and a value sets the value, so that a params struct decodes the body of a PATCH.
type Change[T any] struct {
	set   bool
	value *T
}

// Set returns the change that stores value.
func Set[T any](value T) Change[T] { return Change[T]{set: true, value: &value} }

// SetNull returns the change that stores NULL.
func SetNull[T any]() Change[T] { return Change[T]{set: true} }

// IsZero reports whether c leaves the column.
func (c Change[T]) IsZero() bool { return !c.set }

// Get returns what c does: value is nil for NULL, and set is false if c leaves the column.
func (c Change[T]) Get() (value *T, set bool) { return c.value, c.set }

// argument is for the statements of [Columns].
func (c Change[T]) argument() (value any, set bool) { return c.value, c.set }

// column is what the value of a column is read into.
func (c *Change[T]) column() any {
	c.set = true
	return &c.value
}

// MarshalJSON encodes the value. It encodes null for NULL, and for a column that is left unless omitzero omits the
// field.
func (c Change[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.value) }

// UnmarshalJSON decodes a value or null.
func (c *Change[T]) UnmarshalJSON(encoded []byte) error {
	c.set, c.value = true, nil
	return json.Unmarshal(encoded, &c.value)
}

// notNull refuses NULL for a column that cannot be NULL.
func (c Change[T]) notNull(field string) fault {
	if c.set && c.value == nil {
		return fault{field: field, reason: "null"}
	}
	return fault{}
}
