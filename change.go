package authdb

// Change says what an update does to a nullable column. The zero value leaves it; [Set] sets a value, [SetNull] sets
// NULL.
type Change[T any] struct {
	set   bool
	value *T
}

// Set returns the change that stores value.
func Set[T any](value T) Change[T] { return Change[T]{set: true, value: &value} }

// SetNull returns the change that stores NULL.
func SetNull[T any]() Change[T] { return Change[T]{set: true} }
