package freshness_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cache/redistest"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// redisShapes are the ways to run a Redis, each with the settings that lead to
// it.
func redisShapes() map[string]func(*testing.T) []string {
	return map[string]func(*testing.T) []string{
		"a Cluster": func(t *testing.T) []string {
			t.Helper()
			return []string{addressList(redistest.StartCluster(t, 3)...)}
		},
		"Sentinels": func(t *testing.T) []string {
			t.Helper()
			return []string{addressList(redistest.StartWatched(t, "main").Sentinel), "redis.master_name=main"}
		},
		"TLS": func(t *testing.T) []string {
			t.Helper()
			_, files := harness.CertificateOf(t)
			certificate, key := strings.TrimPrefix(files[0], "tls.cert_file="), strings.TrimPrefix(files[1], "tls.key_file=")
			port := redistest.FreePort(t)
			s := redistest.StartOn(t, port, "--port", "0", "--tls-port", strconv.Itoa(port), "--tls-auth-clients", "no",
				"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
			return []string{addressList(s), "redis.tls=true", "redis.ca_file=" + certificate}
		},
		"the account of the documentation": func(t *testing.T) []string {
			t.Helper()
			return asDocumented(t, redistest.Start(t))
		},
		"the account of the documentation on a Cluster": func(t *testing.T) []string {
			t.Helper()
			return asDocumented(t, redistest.StartCluster(t, 3)...)
		},
	}
}

// asDocumented makes the account that operators are told to make, and looks at
// the end of the test whether it was refused anything.
func asDocumented(t *testing.T, servers ...*redistest.Server) []string {
	t.Helper()
	for _, s := range servers {
		s.Do(documentedAccount(t)...)
		s.Do("ACL", "SETUSER", "default", "-@all", "+acl") // who signs in as nobody is refused
		t.Cleanup(func() {
			for _, refused := range s.Client().ACLLog(context.Background(), 10).Val() {
				t.Errorf("the account of the documentation was refused: %+v", refused)
			}
		})
	}
	return []string{addressList(servers...), "redis.username=gateway", "redis.password=PASSWORD"}
}

func addressList(servers ...*redistest.Server) string {
	list, _ := json.Marshal(redistest.Addresses(servers...))
	return "redis.addresses=" + string(list)
}

// documentedAccount is the command that operators are told to run.
func documentedAccount(t *testing.T) []any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?s)(ACL SETUSER gateway .*?)\n\x60\x60\x60`).FindSubmatch(text)
	if shown == nil {
		t.Fatal("the documentation shows no account")
	}
	var command []any
	for _, word := range strings.Fields(strings.ReplaceAll(string(shown[1]), "\\\n", " ")) {
		command = append(command, word)
	}
	return command
}

func TestGatewaysShareAnswersLimitsAndTheLogOnAnyShapeOfRedis(t *testing.T) {
	planted := harness.EmptyIndices(t)
	harness.PlantSmallTree(t, planted)
	for name, start := range redisShapes() {
		t.Run(name, func(t *testing.T) {
			at := append(slices.Clone(planted), harness.RedisSettings("127.0.0.1:1")...)
			at = append(at, start(t)...)
			settings := []string{"redis.budget=1s", "limits.account.per_minute=6000", "cache.stale=10m"}
			first, second := harness.ServeAt(t, at, settings...), harness.ServeAt(t, at, settings...)
			token := first.Supervisor(t, 1)
			asked := 0
			harness.Eventually(t, "the second gateway hits what the first has stored", func() bool {
				asked++
				target := fmt.Sprintf("/api/v1/sessions?showAllSupervised=true&limit=%d", asked)
				first.Get(t, target, token).Page(t)
				return strings.Contains(second.Get(t, target, second.Supervisor(t, 1)).Header.Get("Cache-Status"), "detail=redis")
			})
			harness.Eventually(t, "the log is followed", func() bool { return metricOf(t, second, "scopegate_cache_log_following") == 1 })
			harness.Command(t, at, nil, "invalidate", "--company", "2")
			for range 12 { // two limits each: more than a breaker suffers
				first.Get(t, "/api/v1/me", token)
			}
			for _, g := range []*harness.Gateway{first, second} {
				harness.Within(t, harness.Heard, "it is told", func() bool { return metricOf(t, g, "scopegate_cache_log_touches_total") >= 1 })
				if strings.Contains(g.Logs.String(), "Redis is failing") {
					t.Errorf("the log says: %s", g.Logs)
				}
			}
		})
	}
}

// metricOf adds up all series of a metric; -1: there is none.
func metricOf(t *testing.T, g *harness.Gateway, name string) float64 {
	t.Helper()
	return seriesOf(t, g, `^`+name+`(?:\{[^}]*\})? `)
}

// seriesOf adds up the series that a pattern, up to the value, fits.
func seriesOf(t *testing.T, g *harness.Gateway, pattern string) float64 {
	t.Helper()
	body := g.Send(t, http.MethodGet, g.Admin+"/metrics", "", nil).Body
	sum := -1.0
	for _, found := range regexp.MustCompile(`(?m)`+pattern+`(\S+)$`).FindAllSubmatch(body, -1) {
		value, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum = max(sum, 0) + value
	}
	return sum
}
