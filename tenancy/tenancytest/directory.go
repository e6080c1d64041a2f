package tenancytest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tenancy"
)

// refreshEvery lets a test see a change soon after it made one.
const refreshEvery = 10 * time.Millisecond

// MemorySource is a tenancy.Source that a test can change. The zero
// MemorySource is empty.
type MemorySource struct {
	mu      sync.Mutex
	records tenancy.Records
	version int
	err     error
}

var _ tenancy.Source = (*MemorySource)(nil)

// NewSource is a source that holds the records.
func NewSource(records tenancy.Records) *MemorySource { return &MemorySource{records: records} }

// Set changes the records. A Directory sees it with its next refresh.
func (s *MemorySource) Set(records tenancy.Records) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
	s.version++
}

// Fail makes the source answer with the error, or with its records again when
// err is nil.
func (s *MemorySource) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Load implements tenancy.Source.
func (s *MemorySource) Load(context.Context) (tenancy.Records, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records, s.err
}

// Version implements tenancy.Source.
func (s *MemorySource) Version(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.Itoa(s.version), s.err
}

// NewDirectory is a directory of the records that lives as long as the test.
func NewDirectory(tb testing.TB, records tenancy.Records) *tenancy.Directory {
	tb.Helper()
	return DirectoryOf(tb, NewSource(records))
}

// DirectoryOf is a directory of the source that lives as long as the test and
// follows changes within some milliseconds; Refresh makes it follow at once.
func DirectoryOf(tb testing.TB, source tenancy.Source) *tenancy.Directory {
	tb.Helper()
	d, err := StartDirectory(context.Background(), tenancy.DirectoryOptions{Source: source, RefreshEvery: refreshEvery})
	if err != nil {
		tb.Fatalf("start directory: %v", err)
	}
	tb.Cleanup(d.Close)
	return d
}
