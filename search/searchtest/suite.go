package searchtest

import (
	"context"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// Engine is the interface that the suite tests.
type Engine interface {
	search.Searcher
	search.Summarizer
	search.Snapshotter
	session.Writer
}

// check is one named case. It returns an error instead of failing a test, so that
// the suite can be tried on engines that are broken on purpose.
type check struct {
	name string
	run  func(ctx context.Context, e *env) error
}

// Run tests an engine with the named cases. newEngine returns an empty engine and
// closes it with tb.Cleanup; it is called once.
func Run(t *testing.T, newEngine func(testing.TB) Engine) {
	t.Helper()
	e := newEnv(newEngine(t), newScopes(t))
	if err := e.write(t.Context(), fixture(t)...); err != nil {
		t.Fatalf("the fixture cannot be written: %v", err)
	}
	for _, c := range slices.Concat(checks(), deepChecks(), wideChecks()) {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
}

// checks are the cases on the fixture. Those that write come last and use companies
// of their own.
func checks() []check {
	return slices.Concat(
		filterChecks(), listChecks(), dateChecks(), pairChecks(),
		scriptChecks(), phoneChecks(), placeChecks(), lengthChecks(), friendChecks(), syntaxChecks(),
		sortChecks(), multiSortChecks(),
		pageChecks(), keysetChecks(), positionChecks(),
		fieldChecks(), scopeChecks(), snapshotChecks(), summaryChecks(), newestChecks(), concurrencyChecks(), cancelChecks(),
		writeChecks(), snapshotWriteChecks(),
	)
}

// fixture builds the documents that all cases share.
func fixture(tb testing.TB) []session.Document {
	tb.Helper()
	specs := slices.Concat(
		filterFixture(), dateFixture(), scriptFixture(), phoneFixture(), placeFixture(),
		lengthFixture(), friendFixture(), syntaxFixture(), pairFixture(), sortFixture(), pageFixture(),
		fieldFixture(), scopeFixture(), summaryFixture(), newestFixture(),
	)
	docs, err := build(specs)
	if err != nil {
		tb.Fatalf("the fixture is not valid: %v", err)
	}
	return docs
}
