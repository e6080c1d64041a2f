package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// faults are what is wrong with a configuration: every fault of every source,
// in the order found.
type faults struct {
	list    []error
	sources map[string]string // by key, of list elements too: where its value is from
	unread  map[string]bool   // keys whose value could not be read, so that it cannot be judged
}

// everything is above all keys.
const everything = ""

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(f.list...))
}

// note adds a fault that is of no known setting.
func (f *faults) note(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf(format, args...))
}

// unreadable is for a key, or everything, whose value could not be read.
func (f *faults) unreadable(key, text string) {
	f.note("%s", text)
	if f.unread == nil {
		f.unread = map[string]bool{}
	}
	f.unread[key] = true
}

// came notes the source of a value, which replaces all that was there.
func (f *faults) came(key, source string) {
	if f.sources == nil {
		f.sources = map[string]string{}
	}
	if _, replaced := f.sources[key]; replaced {
		maps.DeleteFunc(f.sources, func(k, _ string) bool { return strings.HasPrefix(k, key+"[") })
	}
	f.sources[key] = source
}

// check adds a fault of a value unless ok. It is left out where that value, or
// that of another key which the check reads, could not be read: that is told
// already.
func (f *faults) check(ok bool, key, message string, others ...string) {
	for _, k := range append([]string{key}, others...) {
		ok = ok || f.isUnread(k)
	}
	if ok {
		return
	}
	f.note("%s", faultText(key, message, f.sourceOf(key)))
}

// faultText is a fault's line; the source of a default is "".
func faultText(key, message, source string) string {
	if source == "" {
		return key + ": " + message
	}
	return key + ": " + message + " (" + source + ")"
}

func (f *faults) isUnread(key string) bool {
	for ; key != everything; key = partOf(key) {
		if f.unread[key] {
			return true
		}
	}
	return f.unread[everything]
}

// sourceOf is where the value, or what it is part of, is from; "": it is a
// default.
func (f *faults) sourceOf(key string) string {
	for ; key != everything; key = partOf(key) {
		if source, ok := f.sources[key]; ok {
			return source
		}
	}
	return ""
}

// partOf is the key of the list or section that a key is in.
func partOf(key string) string {
	return key[:max(0, strings.LastIndexAny(key, ".["))]
}
