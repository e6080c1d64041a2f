// Package deploy_test checks the deployment files, as far as possible without a
// container engine.
package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/scopegate/scopegate/config"
)

// compose is the part of docker-compose.yml that the tests read.
type compose struct {
	Services map[string]struct {
		Image       string
		ReadOnly    bool `yaml:"read_only"`
		Tmpfs       []string
		Environment map[string]string
		Build       struct{ Context, Dockerfile string }
		Profiles    []string
		Ports       []string
		Volumes     []string
		Healthcheck struct {
			Test    []string
			Disable bool
		}
		DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	Volumes map[string]any
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func composeFile(t *testing.T) compose {
	t.Helper()
	var c compose
	load(t, "../docker-compose.yml", &c)
	return c
}

func TestEachServiceIsPinnedHealthCheckedAndPublishedOnLoopbackOnly(t *testing.T) {
	c := composeFile(t)
	for _, want := range []string{"gateway", "elasticsearch", "redis", "collector", "jaeger"} {
		if _, ok := c.Services[want]; !ok {
			t.Errorf("there is no service %s", want)
		}
	}
	pinned := regexp.MustCompile(`^[a-z0-9/.-]+:\d+\.\d+\.\d+[a-z0-9.-]*$`)
	for name, s := range c.Services {
		if s.Build.Dockerfile == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %q is not pinned to a release", name, s.Image)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network", name, port)
			}
		}
		// The collector's image contains no command for a check, the gateway's
		// Dockerfile has a check, and the job that makes indices ends.
		if len(s.Healthcheck.Test) == 0 && !slices.Contains([]string{"collector", "gateway", "index"}, name) {
			t.Errorf("%s: there is no health check", name)
		}
	}
}

func TestWhatServicesReferToIsThere(t *testing.T) {
	c := composeFile(t)
	for name, s := range c.Services {
		for other, d := range s.DependsOn {
			needed, ok := c.Services[other]
			if !ok {
				t.Errorf("%s depends on %s, which is not there", name, other)
			}
			if d.Condition == "service_healthy" && len(needed.Healthcheck.Test) == 0 {
				t.Errorf("%s waits for the health of %s, which has no check", name, other)
			}
			for _, profile := range needed.Profiles {
				if !slices.Contains(s.Profiles, profile) && len(s.Profiles) == 0 {
					t.Errorf("%s is started without %s, on which it depends", name, other)
				}
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, ".") {
				if _, ok := c.Volumes[source]; !ok {
					t.Errorf("%s: the volume %s is not declared", name, source)
				}
				continue
			}
			exists(t, filepath.Join("..", source))
		}
		if s.Build.Dockerfile != "" {
			exists(t, filepath.Join("..", s.Build.Dockerfile))
		}
	}
}

func exists(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// The containers run the versions that the tests use.
func TestServersAreOfTheVersionsThatAreTested(t *testing.T) {
	versions, err := os.ReadFile("services/versions")
	if err != nil {
		t.Fatal(err)
	}
	c := composeFile(t)
	for service, variable := range map[string]string{"elasticsearch": "ES_VERSION", "jaeger": "JAEGER_VERSION"} {
		match := regexp.MustCompile(`(?m)^` + variable + `=v?(\S+)$`).FindSubmatch(versions)
		if match == nil {
			t.Fatalf("services/versions has no %s", variable)
		}
		if image := c.Services[service].Image; !strings.HasSuffix(image, ":"+string(match[1])) {
			t.Errorf("%s: image %s, tested is %s", service, image, match[1])
		}
	}
}

func TestTheGatewaysSettingsAreValid(t *testing.T) {
	key := "SCOPEGATE_CACHE_KEYS=[" + strings.Repeat("A", 43) + "=]"
	cfg, err := config.Load(config.Sources{File: "docker/scopegate.yaml", Environ: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Engine != config.EngineElasticsearch {
		t.Errorf("engine %s, want that of the composition", cfg.Engine)
	}
}

func TestEachPipelineOfTheCollectorIsOfItsParts(t *testing.T) {
	type parts map[string]any
	var c struct {
		Receivers, Processors, Exporters, Extensions parts
		Service                                      struct {
			Extensions []string
			Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	load(t, "otel-collector/config.yaml", &c)
	check := func(kind string, known parts, used []string) {
		for _, name := range used {
			if _, ok := known[name]; !ok {
				t.Errorf("%s %s is used and not configured", kind, name)
			}
		}
	}
	check("extension", c.Extensions, c.Service.Extensions)
	if len(c.Service.Pipelines) == 0 {
		t.Error("there is no pipeline")
	}
	for _, p := range c.Service.Pipelines {
		check("receiver", c.Receivers, p.Receivers)
		check("processor", c.Processors, p.Processors)
		check("exporter", c.Exporters, p.Exporters)
	}
}

func TestTheImageIsStaticAndRunsAsNobody(t *testing.T) {
	text, err := os.ReadFile("docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	last := string(text[strings.LastIndex(string(text), "\nFROM "):])
	for _, want := range []string{"FROM scratch", "USER 65532:65532", "HEALTHCHECK", `ENTRYPOINT ["/scopegate"]`} {
		if !strings.Contains(last, want) {
			t.Errorf("the image lacks %s", want)
		}
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0") {
		t.Error("the binary is not static")
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1) {
		if from[1] != "scratch" && !regexp.MustCompile(`:\d+\.\d+\.\d+`).MatchString(from[1]) {
			t.Errorf("the image %s is not pinned to a release", from[1])
		}
	}
}

// An empty image has no folder for temporary files, and with a read-only root the
// gateway could not write to one.
func TestTheGatewayHasAFolderForTemporaryFiles(t *testing.T) {
	text, err := os.ReadFile("docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	copied := regexp.MustCompile(`(?m)^COPY --from=build (\S+)/ /$`).FindStringSubmatch(last)
	if copied == nil {
		t.Fatal("nothing is copied into the root of the image")
	}
	tmp := regexp.QuoteMeta(copied[1] + "/tmp")
	for _, made := range []string{`mkdir -p [^&|;]*` + tmp + `( |$)`, `chmod 1777 ` + tmp + `( |$)`} {
		if !regexp.MustCompile(`(?m)` + made).MatchString(build) {
			t.Errorf("%s is not made by %q", copied[1]+"/tmp", made)
		}
	}
	gateways := 0
	for name, s := range composeFile(t).Services {
		if !strings.HasSuffix(s.Build.Dockerfile, "docker/Dockerfile") || !s.ReadOnly {
			continue
		}
		gateways++
		mount := regexp.MustCompile(`^/tmp:.*\bsize=(\d+)g\b`).FindStringSubmatch(strings.Join(s.Tmpfs, "\n"))
		if mount == nil {
			t.Errorf("%s: its root is read-only, and %q is no /tmp of a size", name, s.Tmpfs)
			continue
		}
		room, err := strconv.ParseInt(mount[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.Sources{File: "docker/scopegate.yaml", Environ: []string{
			"SCOPEGATE_CACHE_KEYS=[" + strings.Repeat("A", 43) + "=]",
			"SCOPEGATE_EXPORTS_TEMP_MAX=" + s.Environment["SCOPEGATE_EXPORTS_TEMP_MAX"],
		}})
		if err != nil {
			t.Fatal(err)
		}
		if most := int64(cfg.Exports.TempMax); most >= room<<30 {
			t.Errorf("%s: workbooks may take %d bytes of %d", name, most, room<<30)
		}
	}
	if gateways == 0 {
		t.Error("no gateway is read-only: the test is of no use")
	}
}
