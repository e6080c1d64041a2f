package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// nextOf is where the answer's Link rel="next" leads from its request, "" without
// one.
func nextOf(tb testing.TB, r reply) string {
	tb.Helper()
	links := r.Header.Values("Link")
	if len(links) == 0 {
		return ""
	}
	found := regexp.MustCompile(`^<([^<> ]+)>; rel="next"$`).FindStringSubmatch(links[0])
	if found == nil || len(links) > 1 {
		tb.Fatalf("Link = %q", links)
	}
	next, err := r.Request.URL.Parse(found[1])
	if err != nil {
		tb.Fatal(err)
	}
	return next.RequestURI()
}

func idsOf(tb testing.TB, r reply) []string {
	tb.Helper()
	var body struct{ Items []struct{ ID string } }
	if r.StatusCode != http.StatusOK {
		tb.Fatalf("%d %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for _, item := range body.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestLinksLeadThroughAllPagesOnce(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	whole := idsOf(t, s.get(t, "/api/v1/sessions?showAllSupervised=true&limit=1000", token))
	if len(whole) != 24 {
		t.Fatalf("%d sessions, want 24", len(whole))
	}
	const body = `{"showAllSupervised":true,"limit":5,"offset":2}`
	for _, tt := range []struct {
		name  string
		first func() reply
		next  func(path string) reply
		want  []string
	}{
		{
			"by URL", func() reply { return s.get(t, "/api/v1/sessions?limit=7&showAllSupervised=true", token) },
			func(path string) reply { return s.get(t, path, token) }, whole,
		},
		{
			"by URL from a page on", func() reply { return s.get(t, "/api/v1/sessions?page=1&limit=7&showAllSupervised=true", token) },
			func(path string) reply { return s.get(t, path, token) }, whole[7:],
		},
		{
			"by body", func() reply { return s.post(t, "/api/v1/sessions/search", token, body) },
			func(path string) reply { return s.post(t, path, token, body) }, whole[2:],
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			r := tt.first()
			for range 10 {
				got = append(got, idsOf(t, r)...)
				path := nextOf(t, r)
				if path == "" {
					break
				}
				r = tt.next(path)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACursorServesItsOwnSearchAlone(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	next := nextOf(t, s.get(t, "/api/v1/sessions?limit=2", token))
	_, cursor, found := strings.Cut(next, "cursor=")
	if !found {
		t.Fatalf("Link leads to %q", next)
	}
	other := s.issuer.Token(t, tenancytest.Claims{Company: ownCompany, Roles: []string{"supervisor"}, Subject: "other"})
	moved := s.issuer.Token(t, tenancytest.Claims{Company: belowCompany, Roles: []string{"supervisor"}})
	for _, tt := range []struct{ name, query, token string }{
		{"another account", "cursor=" + cursor, other},
		{"the account in another company", "cursor=" + cursor, moved},
		{"another filter", "chatId=x&cursor=" + cursor, token},
		{"another order", "sort=name&cursor=" + cursor, token},
		{"another company", "companyId=3&cursor=" + cursor, token},
		{"a wider selection", "showAllSupervised=true&cursor=" + cursor, token},
		{"cut short", "cursor=" + cursor[:len(cursor)-4], token},
		{"garbage", "cursor=garbage", token},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.get(t, "/api/v1/sessions?"+tt.query, tt.token).problem(t, http.StatusBadRequest)
			if len(p.Details) != 1 || p.Details[0].Parameter != "cursor" {
				t.Errorf("details = %v", p.Details)
			}
		})
	}
	if r := s.get(t, "/api/v1/sessions?limit=500&fields=id&withoutCount=1&cursor="+cursor, token); r.StatusCode != http.StatusOK {
		t.Errorf("another limit and other fields: %d %s", r.StatusCode, r.body)
	}
}

func TestACursorFindsTheScopeAnew(t *testing.T) {
	s := newStage(t)
	token := s.supervisor(t)
	next := nextOf(t, s.get(t, "/api/v1/sessions?showAllSupervised=true&limit=1", token))
	records := stageRecords(s.issuer.URL())
	records.Grants = nil
	directory := tenancytest.DirectoryOf(t, tenancytest.NewSource(records))
	revoked := newStage(t, func(o *Options) {
		o.Directory = directory
		o.Verifier = tenancytest.NewVerifier(t, tenancy.VerifierOptions{Issuers: []tenancy.IssuerOptions{s.issuer.Options()}, HTTPClient: s.issuer.Client()})
	})
	ids := idsOf(t, revoked.get(t, strings.Replace(next, "limit=1&", "limit=1000&", 1), token))
	if len(ids) != 15 || slices.Contains(ids, "s102") {
		t.Errorf("got %v, want the 15 that are left of the two companies that are left", ids)
	}
}

func TestALinkSurvivesAProxyThatAddsOrTakesAwayAPrefix(t *testing.T) {
	s := newStage(t)
	gateway, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	token := s.supervisor(t)
	for name, paths := range map[string]struct{ outside, inside string }{
		"a prefix taken away": {"/chat/api/v1/sessions", "/api/v1/sessions"},
		"a path of its own":   {"/history", "/api/v1/sessions"},
		"by body":             {"/chat/api/v1/sessions/search", "/api/v1/sessions/search"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(gateway)
				r.Out.URL.Path = strings.Replace(r.In.URL.Path, paths.outside, paths.inside, 1)
			}})
			defer proxy.Close()
			outside := &stage{url: proxy.URL, client: s.client}
			ask := func(target string) reply {
				method, body := http.MethodGet, ""
				if name == "by body" {
					method, body = http.MethodPost, `{"limit":5,"showAllSupervised":true}`
				}
				return outside.do(t, method, target, token, body, "Content-Type", "application/json")
			}
			target, ids := paths.outside, []string(nil)
			if name != "by body" {
				target += "?limit=5&showAllSupervised=true"
			}
			for range 10 {
				r := ask(target)
				ids = append(ids, idsOf(t, r)...)
				if target = nextOf(t, r); target == "" {
					break
				}
			}
			if len(ids) != 24 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 24 {
				t.Errorf("read %v", ids)
			}
		})
	}
}

func TestNextKeepsTheParametersThatAreNotAboutThePlace(t *testing.T) {
	for raw, want := range map[string]string{
		"":                              "?cursor=C",
		"limit=5":                       "?limit=5&cursor=C",
		"page=3&limit=5":                "?limit=5&cursor=C",
		"limit=5&offset=20&sort=+name":  "?limit=5&sort=+name&cursor=C",
		"cursor=OLD&keyword=a%26b":      "?keyword=a%26b&cursor=C",
		"%6Fffset=20&from=x":            "?from=x&cursor=C",
		"offsetField=id&offsetValue=5&": "?cursor=C",
		`keyword=a>;rel="x"<`:           "?keyword=a%3E;rel=%22x%22%3C&cursor=C",
		"keyword=ё":                     "?keyword=%D1%91&cursor=C",
	} {
		t.Run(raw, func(t *testing.T) {
			got := nextByURL(raw)("C")
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if _, err := url.Parse(got); err != nil {
				t.Error(err)
			}
		})
	}
}

// What has been encoded decodes to the text, and holds allowed bytes only.
func TestPercentEncodingLosesNothingAndAddsNoByteThatMayNotStandThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		name, link := percentEncode(text, attrChar), percentEncode(text, linkChar)
		if decoded, err := url.PathUnescape(name); err != nil || decoded != text {
			t.Fatalf("%q is %q encoded, which decodes to %q, %v", text, name, decoded, err)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~%") != "" {
			t.Fatalf("%q is %q as the name of a file", text, name)
		}
		for _, c := range []byte(link) {
			if c <= ' ' || c >= 0x7F || strings.ContainsRune("\"<>\\^`{|}", rune(c)) {
				t.Fatalf("%q is %q in a link", text, link)
			}
		}
	})
}
