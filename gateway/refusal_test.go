package gateway

import (
	std "cmp"
	"context"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// refusals reads the counter of refusals by its one label.
func refusals(tb testing.TB, reader *sdkmetric.ManualReader) map[tenancy.Reason]int64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	counts := map[tenancy.Reason]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "scopegate.auth.refused" {
				for _, point := range sum.DataPoints {
					reason, _ := point.Attributes.Value(reasonKey)
					counts[tenancy.Reason(reason.AsString())] = point.Value
				}
			}
		}
	}
	return counts
}

func TestEveryReasonIsCountedFromZero(t *testing.T) {
	want := map[tenancy.Reason]int64{}
	for _, reason := range tenancy.Reasons() {
		want[reason] = 0
	}
	if diff := cmp.Diff(want, refusals(t, newStage(t).metrics)); diff != "" {
		t.Errorf("counter (-want +got):\n%s", diff)
	}
}

func TestTheReasonOfARefusalIsForTheOperatorAndNotForTheCaller(t *testing.T) {
	const secret = "planted-7f3a"
	for name, c := range map[string]struct {
		authorization func(tb testing.TB, s *stage) []string // nil: of the agent
		path          string                                 // "": /api/v1/me
		status        int
		error         string // "": any
		reason        tenancy.Reason
		claim         string
	}{
		"nothing sent":   {func(testing.TB, *stage) []string { return nil }, "", 401, "", tenancy.ReasonMissing, ""},
		"another scheme": {func(testing.TB, *stage) []string { return []string{"Basic " + secret} }, "", 401, "", tenancy.ReasonScheme, ""},
		"a bare token":   {func(testing.TB, *stage) []string { return []string{"e30.e30.AAAA"} }, "", 401, "", tenancy.ReasonScheme, ""},
		"two headers":    {func(testing.TB, *stage) []string { return []string{"Bearer " + secret, "Bearer b"} }, "", 401, "", tenancy.ReasonCredentials, ""},
		"an opaque token": {func(testing.TB, *stage) []string { return []string{"Bearer " + secret} },
			"", 401, "Token is invalid.", tenancy.ReasonMalformed, ""},
		"another audience": {bearing(tenancytest.Claims{Company: ownCompany, Extra: map[string]any{"aud": secret}}),
			"", 401, "Token is invalid.", tenancy.ReasonAudience, ""},
		"a company that is text": {bearing(tenancytest.Claims{Extra: map[string]any{"company_id": secret}}),
			"", 401, "Token is invalid.", tenancy.ReasonClaim, "company_id"},
		"expired": {bearing(tenancytest.Claims{Company: ownCompany, Extra: map[string]any{"exp": 1}}),
			"", 401, "Token is expired.", tenancy.ReasonExpired, ""},
		"a company that is not in the directory": {bearing(tenancytest.Claims{Company: missingCompany}), "", 403, "", tenancy.ReasonCompanyUnknown, ""},
		"a foreign company":                      {nil, "/api/v1/sessions?companyId=20", 403, "", tenancy.ReasonCompanyForeign, ""},
		"an agent that asks for all":             {nil, "/api/v1/sessions?showAllSupervised=true", 403, "", tenancy.ReasonNotSupervisor, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			authorization := c.authorization
			if authorization == nil {
				authorization = bearing(tenancytest.Claims{Company: ownCompany, Subject: "agent"})
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+std.Or(c.path, "/api/v1/me"), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header["Authorization"] = authorization(t, s)
			r := s.send(t, request)
			p := r.problem(t, c.status)
			if c.error != "" && (p.Error != c.error || p.Detail != c.error) {
				t.Errorf("the caller is told %q, %q, want %q", p.Error, p.Detail, c.error)
			}
			if c.claim != "" && strings.Contains(string(r.body), c.claim) {
				t.Errorf("the caller is told of the claim: %s", r.body)
			}
			line := s.waitForLine(t, "request")
			if line["reason"] != string(c.reason) || line["claim"] != nilIfEmpty(c.claim) {
				t.Errorf("line %v, want the reason %q and the claim %q", line, c.reason, c.claim)
			}
			if logs := s.logs.String(); strings.Contains(logs, secret) {
				t.Errorf("the log repeats the token: %s", logs)
			}
			if got := s.spanReasons(); len(got) == 0 || slices.ContainsFunc(got, func(r string) bool { return r != string(c.reason)+" "+c.claim }) {
				t.Errorf("the spans have %q, want %q, %q", got, c.reason, c.claim)
			}
			counts := refusals(t, s.metrics)
			if counts[c.reason] != 1 || total(counts) != 1 || len(counts) != len(tenancy.Reasons()) {
				t.Errorf("counted: %v, want one of %q", counts, c.reason)
			}
		})
	}
}

// bearing is the header of one token.
func bearing(c tenancytest.Claims) func(testing.TB, *stage) []string {
	return func(tb testing.TB, s *stage) []string {
		tb.Helper()
		return []string{"Bearer " + s.issuer.Token(tb, c)}
	}
}

func nilIfEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func total(counts map[tenancy.Reason]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// spanReasons are reason and claim of each span that failed.
func (s *stage) spanReasons() []string {
	var found []string
	for _, span := range s.spans.Ended() {
		var failed bool
		values := map[string]string{}
		for _, attr := range span.Attributes() {
			failed = failed || attr.Key == "error.type"
			values[string(attr.Key)] = attr.Value.AsString()
		}
		if failed {
			found = append(found, values[reasonKey]+" "+values[claimKey])
		}
	}
	return found
}

func TestAnAcceptedRequestHasNoReason(t *testing.T) {
	s := newStage(t)
	if r := s.get(t, "/api/v1/me", s.supervisor(t)); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	s.get(t, "/api/v1/sessions?limit=0", s.supervisor(t)).problem(t, http.StatusBadRequest)
	if line := s.waitForLine(t, "request"); line["reason"] != nil {
		t.Errorf("line = %v", line)
	}
	if n := total(refusals(t, s.metrics)); n != 0 {
		t.Errorf("%d refusals counted", n)
	}
}

// Whoever adds a problem with such a status gives it a reason.
func TestEveryProblemOfTheCallersRightsHasAReason(t *testing.T) {
	for _, p := range problems {
		reason, _, ok := tenancy.RefusalOf(p.is)
		if rights := p.status == http.StatusUnauthorized || p.status == http.StatusForbidden; rights && !ok {
			t.Errorf("%s (%d) has no reason", p.code, p.status)
		}
		if ok && !slices.Contains(tenancy.Reasons(), reason) {
			t.Errorf("%s has the reason %q, which is not in the list", p.code, reason)
		}
	}
}

func TestTheDocumentationExplainsEveryReasonAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n| `reason` |")
	if !found {
		t.Fatal("docs/operations.md has no table of reasons")
	}
	table, _, _ := strings.Cut(section, "\n\n")
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		got = append(got, row[1])
	}
	for _, reason := range tenancy.Reasons() {
		want = append(want, string(reason))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table (-reasons +documented):\n%s", diff)
	}
}

func TestAnIdentityThatCannotBeCheckedIsRefusedWithAReason(t *testing.T) {
	for _, err := range []error{tenancy.ErrKeysUnavailable, tenancy.ErrRevocationsUnavailable, tenancy.ErrDirectoryStale, tenancy.ErrTokenRevoked, errScopeLost} {
		s := newStage(t, func(o *Options) {
			o.Verifier = verifierFunc(func() (tenancy.Principal, error) { return tenancy.Principal{}, err })
		})
		s.get(t, "/api/v1/me", s.supervisor(t))
		want, _, _ := tenancy.RefusalOf(err)
		if line := s.waitForLine(t, "request"); line["reason"] != string(want) {
			t.Errorf("%v: line = %v, want the reason %q", err, line, want)
		}
		if counts := refusals(t, s.metrics); counts[want] != 1 {
			t.Errorf("%v: counted %v", err, counts)
		}
	}
}
