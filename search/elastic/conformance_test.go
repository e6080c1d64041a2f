package elastic

import (
	"testing"

	"github.com/scopegate/scopegate/search/searchtest"
)

// conformanceShards is large enough that Elasticsearch must merge the answers of
// several shards.
const conformanceShards = 3

func newEngine(tb testing.TB) searchtest.Engine {
	tb.Helper()
	return openVolatile(tb)
}

// openVolatile opens an empty Store whose sessions need not survive a crash of
// Elasticsearch: the suite writes often, and each write would wait for the disk.
func openVolatile(tb testing.TB) *Store {
	tb.Helper()
	s := openStore(tb, conformanceShards)
	setting(tb, s, s.sessions(), values{"index.translog.durability": "async"})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, newEngine)
}

func TestConformanceOfGeneratedQuestions(t *testing.T) {
	t.Parallel()
	searchtest.RunGenerated(t, newEngine)
}

// The suite's data is small: with the default limits nearly every page would need
// only one request.
func TestWalksConform(t *testing.T) {
	t.Parallel()
	searchtest.RunGenerated(t, func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		s := openVolatile(tb)
		s.limits = limits{
			window: 3, terms: 2, anchorEvery: 1, batchBytes: 30_000, batchRows: 15, firstRows: 3, maxBytes: 25_000, sampleRows: 4,
			bulkBytes: 40_000, bulkLines: 20,
			clientsAtOnce: 3, mostClients: 1 << 30, mostOfClients: 1 << 30,
		}
		return s
	})
}
