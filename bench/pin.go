package main

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores that the parts of a pinned run have: who is measured has one of its own,
// the load and what else takes part share another.
const (
	measuredCore = 0
	loadCore     = 1
)

// onCore calls start with the thread held to one core, which the processes that
// it starts inherit. Go programs find out when they start how many cores they
// have.
func onCore(core int, start func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("which cores this process may use: %w", err)
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("taking core %d: %w", core, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &before)) }()
	return start()
}
