package reason

import "sync/atomic"

// Last stores the reason of the last failure, for a line that is written later. The
// zero Last is ready for use. It is safe for use by several goroutines.
type Last struct{ words atomic.Pointer[string] }

// Note stores the reason of an error; a nil error changes nothing.
func (l *Last) Note(err error) {
	if err == nil {
		return
	}
	words := Of(err)
	l.words.Store(&words)
}

// String returns the reason, "" while there is none.
func (l *Last) String() string {
	if words := l.words.Load(); words != nil {
		return *words
	}
	return ""
}
