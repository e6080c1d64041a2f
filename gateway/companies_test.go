package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

const (
	own     = `{"id":2,"name":"Harbour North \u0026 Söhne","parentId":null,"depth":0,"companiesBelow":1}`
	below   = `{"id":3,"name":"Harbour North Pier","parentId":2,"depth":1,"companiesBelow":0}`
	granted = `{"id":10,"name":"Meadow","parentId":null,"depth":0,"companiesBelow":0}`
)

func TestCompaniesAreTheCallersTree(t *testing.T) {
	s := newStage(t)
	for _, tt := range []struct{ name, query, token, want string }{
		{"a supervisor", "", s.supervisor(t), `{"count":3,"items":[` + own + `,` + below + `,` + granted + `]}`},
		{"an agent", "", s.agent(t), `{"count":1,"items":[{"id":2,"name":"Harbour North \u0026 Söhne","parentId":null,"depth":0,"companiesBelow":0}]}`},
		{"by name, folded", "?query=SOHNE", s.supervisor(t), `{"count":1,"items":[` + own + `]}`},
		{"by name, the parent left out", "?query=pier", s.supervisor(t), `{"count":1,"items":[` + below + `]}`},
		{"by the name of a foreign one", "?query=quarry", s.supervisor(t), `{"count":0,"items":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := s.get(t, "/api/v1/companies"+tt.query, tt.token); r.StatusCode != http.StatusOK || string(r.body) != tt.want {
				t.Errorf("%d %s\nwant %s", r.StatusCode, r.body, tt.want)
			}
		})
	}
	s.get(t, "/api/v1/companies?name=x", s.supervisor(t)).problem(t, http.StatusBadRequest)
}

func TestMeDescribesTheCaller(t *testing.T) {
	s := newStage(t)
	body := func(subject, roles string, supervisor bool, size int) string {
		return fmt.Sprintf(`{"issuer":%q,"subject":%q,"companyId":2,"companyName":"Harbour North \u0026 Söhne","roles":%s,"supervisor":%t,"scopeSize":%d,"limits":{"exportRows":5000000,"companyIds":10000,"keywordCharacters":256}}`,
			s.issuer.URL(), subject, roles, supervisor, size)
	}
	named := func(name, email any) string {
		return s.issuer.Token(t, tenancytest.Claims{Subject: "agent", Company: 2, Extra: map[string]any{"name": name, "email": email}})
	}
	withName := strings.Replace(body("agent", `[]`, false, 1), `,"limits"`, `,"name":"Ada Example","email":"ada@example.com","limits"`, 1)
	for _, tt := range []struct{ name, token, want string }{
		{"a supervisor", s.supervisor(t), body(tenancytest.Subject, `["supervisor"]`, true, 3)},
		{"an agent", s.agent(t), body("agent", `[]`, false, 1)},
		{"a token with a name", named("Ada Example", "ada@example.com"), withName},
		{"a name that is no text", named(7, []string{"ada@example.com"}), body("agent", `[]`, false, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := s.get(t, "/api/v1/me", tt.token); r.StatusCode != http.StatusOK || string(r.body) != tt.want {
				t.Errorf("%d %s\nwant %s", r.StatusCode, r.body, tt.want)
			}
		})
	}
	s.get(t, "/api/v1/me?x=1", named("Ada Example", "ada@example.com")).problem(t, http.StatusBadRequest)
	for where, text := range map[string]string{"log": s.logs.String(), "spans": s.spanText(), "metrics": s.metricText(t)} {
		if strings.Contains(text, "Ada") || strings.Contains(text, "ada@") {
			t.Errorf("the name is in the %s", where)
		}
	}
}

func TestACallerOfAnUnknownCompanySeesNothing(t *testing.T) {
	s := newStage(t)
	token := s.issuer.Token(t, tenancytest.Claims{Company: missingCompany, Roles: []string{"supervisor"}, Subject: "stranger"})
	for _, path := range []string{"/api/v1/sessions", "/api/v1/sessions/s100", "/api/v1/companies", "/api/v1/me"} {
		s.get(t, path, token).problem(t, http.StatusForbidden)
	}
	if got := s.searcher.queries(); len(got) != 0 {
		t.Errorf("the searcher was asked: %v", got)
	}
}

func TestASessionIsFoundByAnyID(t *testing.T) {
	s := newStage(t)
	ids := map[string]string{
		"plain-1":              "plain-1",
		"a%2Fb":                "a/b",
		"a+b":                  "a+b",
		"a%20b":                "a b",
		"%2B7%20999":           "+7 999",
		"%D0%BA%D0%BB%D1%8E":   "клю",
		"search":               "search",
		"..%2F..%2Fetc":        "../../etc",
		"%2e%2e":               "..",
		"x%3Fcompany%3D1%23us": "x?company=1#us",
	}
	for escaped, id := range ids {
		s.searcher.sessions = []storedSession{{id: id, company: ownCompany}}
		if r := s.get(t, "/api/v1/sessions/"+escaped+"?fields=id", s.supervisor(t)); r.StatusCode != http.StatusOK || string(r.body) != `{"id":"`+id+`"}` {
			t.Errorf("%s: %d %s", escaped, r.StatusCode, r.body)
		}
	}
	for _, escaped := range []string{"%FF", "%00"} {
		p := s.get(t, "/api/v1/sessions/"+escaped+"?fields=nonsense", s.supervisor(t)).problem(t, http.StatusBadRequest)
		if len(p.Details) != 2 || p.Details[0].Parameter != "id" || p.Details[1].Parameter != "fields" {
			t.Errorf("%s: details = %v", escaped, p.Details)
		}
	}
	for _, q := range s.searcher.queries() {
		if q.Filter.SessionID == "" || q.Limit != 1 || !q.WithoutCount {
			t.Errorf("asked %+v", q)
		}
	}
}

func TestASessionIsFoundInAllThatTheCallerSupervises(t *testing.T) {
	s := newStage(t)
	for id, company := range map[string]tenancy.CompanyID{"s100": ownCompany, "s101": belowCompany, "s102": grantedCompany} {
		if r := s.get(t, "/api/v1/sessions/"+id, s.supervisor(t)); r.StatusCode != http.StatusOK {
			t.Errorf("of company %d: %d", company, r.StatusCode)
		}
	}
}
