package repo

// MisuseError is what was wrong with how the library was called, and what to do.
type MisuseError struct{ Field, Reason string }

func (e MisuseError) Error() string { return e.Field + ": " + e.Reason }
