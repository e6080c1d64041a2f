package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// resident is the memory that the process has in RAM, in bytes; 0 where the
// system does not tell.
func (s *server) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.command.Process.Pid))
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// memoryWatch looks at a process's memory ten times a second.
type memoryWatch struct {
	ends chan struct{}
	done sync.WaitGroup
	most int64
}

func watchMemory(of *server) *memoryWatch {
	w := &memoryWatch{ends: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			w.most = max(w.most, of.resident())
			select {
			case <-tick.C:
			case <-w.ends:
				return
			}
		}
	})
	return w
}

// stop is the most that was seen.
func (w *memoryWatch) stop() int64 {
	close(w.ends)
	w.done.Wait()
	return w.most
}
