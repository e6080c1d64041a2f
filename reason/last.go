package reason

import "sync/atomic"

// Last keeps why something failed last, for a line that is written later. The
// zero Last is ready. Safe for use by several goroutines.
type Last struct{ words atomic.Pointer[string] }

// Note keeps the cause of an error; nil changes nothing.
func (l *Last) Note(err error) {
	if err == nil {
		return
	}
	words := Of(err)
	l.words.Store(&words)
}

// String is the cause, "" while there is none.
func (l *Last) String() string {
	if words := l.words.Load(); words != nil {
		return *words
	}
	return ""
}
