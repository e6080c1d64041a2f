package elastic

import (
	"testing"

	"github.com/scopegate/scopegate/search/searchtest"
)

// conformanceShards are enough that an answer has to be put together.
const conformanceShards = 3

func newEngine(tb testing.TB) searchtest.Engine {
	tb.Helper()
	return openStore(tb, conformanceShards)
}

func TestConformance(t *testing.T) {
	searchtest.Run(t, newEngine)
}

func TestConformanceOfGeneratedQuestions(t *testing.T) {
	searchtest.RunGenerated(t, newEngine)
}

// The suite's data is small: with the limits of Elasticsearch nearly every page
// would come by one request.
func TestWalksConform(t *testing.T) {
	searchtest.RunGenerated(t, func(tb testing.TB) searchtest.Engine {
		tb.Helper()
		s := openStore(tb, conformanceShards)
		s.limits = limits{
			window: 3, terms: 2, anchorEvery: 1, batchBytes: 30_000, batchRows: 15, firstRows: 3, mostBytes: 25_000, sampleRows: 4,
			bulkBytes: 2000, bulkLines: 1,
		}
		return s
	})
}
