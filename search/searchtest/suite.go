package searchtest

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
	for _, c := range slices.Concat(somePairs(t, checks()), deepChecks(), wideChecks()) {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
}

// PairsVariable is the environment variable that says which cases of two parameters
// Run asks: "all", or the seed that chooses a third of them. Unset, the seed is
// another each time, and the test's log has it.
const PairsVariable = "SCOPEGATE_CONFORMANCE_PAIRS"

// somePairs leaves out two thirds of the cases of two parameters: there are more of
// them than of all others. Each run chooses others.
func somePairs(t *testing.T, all []check) []check {
	t.Helper()
	text := os.Getenv(PairsVariable)
	if text == "all" {
		return all
	}
	seed := uint64(time.Now().UnixNano())
	if text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s is %q: it must be all, or a seed", PairsVariable, text)
		}
	}
	t.Logf("a third of the pairs; %s=%d chooses the same ones, all chooses all", PairsVariable, seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- it chooses tests
	return slices.DeleteFunc(all, func(c check) bool {
		return strings.HasPrefix(c.name, pairPrefix) && random.IntN(3) > 0
	})
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
