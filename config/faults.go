package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// faults collects every fault of every source, in the order found.
type faults struct {
	list    []error
	sources map[string]string // source of a value by key, including keys of list elements
	unread  map[string]bool   // keys whose value could not be read and so cannot be checked
}

// everything is the parent of all keys.
const everything = ""

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(f.list...))
}

// note adds a fault that belongs to no known setting.
func (f *faults) note(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf(format, args...))
}

// unreadable adds a fault for a key, or everything, whose value could not be read.
func (f *faults) unreadable(key, text string) {
	f.note("%s", text)
	if f.unread == nil {
		f.unread = map[string]bool{}
	}
	f.unread[key] = true
}

// came stores the source of a value. The value replaces an earlier one with all its
// elements.
func (f *faults) came(key, source string) {
	if f.sources == nil {
		f.sources = map[string]string{}
	}
	if _, replaced := f.sources[key]; replaced {
		maps.DeleteFunc(f.sources, func(k, _ string) bool { return strings.HasPrefix(k, key+"[") })
	}
	f.sources[key] = source
}

// check adds a fault of a value unless ok. It adds none if that value, or that of
// another key which the check uses, could not be read: that fault is already
// listed.
func (f *faults) check(ok bool, key, message string, others ...string) {
	for _, k := range append([]string{key}, others...) {
		ok = ok || f.isUnread(k)
	}
	if ok {
		return
	}
	f.note("%s", faultText(key, message, f.sourceOf(key)))
}

// faultText returns the line of a fault; the source of a default is "".
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

// sourceOf returns the source of the value, or of the list or section that contains
// it; "" for a default.
func (f *faults) sourceOf(key string) string {
	for ; key != everything; key = partOf(key) {
		if source, ok := f.sources[key]; ok {
			return source
		}
	}
	return ""
}

// partOf returns the key of the list or section that contains a key.
func partOf(key string) string {
	return key[:max(0, strings.LastIndexAny(key, ".["))]
}
