package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/config"
)

// The variables that a kubelet sets in the pods of a namespace with Services of
// these names.
func TestVariablesThatKubernetesGivesForAServiceOfOurNameAreIgnored(t *testing.T) {
	links := []string{
		"SCOPEGATE_PORT=tcp://10.96.0.1:80", "SCOPEGATE_SERVICE_HOST=10.96.0.1", "SCOPEGATE_SERVICE_PORT=80", "SCOPEGATE_SERVICE_PORT_HTTP=80",
		"SCOPEGATE_SERVICE_PORT_METRICS_V2=9090", "SCOPEGATE_PORT_80_TCP=tcp://10.96.0.1:80", "SCOPEGATE_PORT_80_TCP_PROTO=tcp",
		"SCOPEGATE_PORT_80_TCP_PORT=80", "SCOPEGATE_PORT_80_TCP_ADDR=10.96.0.1",
		"SCOPEGATE_PORT_53_UDP=udp://10.96.0.1:53", "SCOPEGATE_PORT_53_UDP_PROTO=udp", "SCOPEGATE_PORT_9_SCTP=sctp://[fd00::1]:9",
		"SCOPEGATE_PORT_9_SCTP_ADDR=fd00::1",
		"SCOPEGATE_ADMIN_SERVICE_HOST=10.96.0.2", "SCOPEGATE_ADMIN_SERVICE_PORT=9090", "SCOPEGATE_ADMIN_PORT=tcp://10.96.0.2:9090",
		"SCOPEGATE_ADMIN_PORT_9090_TCP_ADDR=10.96.0.2", "SCOPEGATE_REDIS_MASTER_0_SERVICE_PORT_TCP_REDIS=6379",
		"SCOPEGATE_HTTP_SERVICE_HOST=fd00::2",
	}
	file := writeFile(t, minimal)
	want, err := config.Load(config.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(config.Sources{File: file, Environ: links})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAMisspeltVariableIsNoServiceLink(t *testing.T) {
	misspelt := []string{
		"SCOPEGATE_PORT=8080", "SCOPEGATE_REDIS_PORT=6379", "SCOPEGATE_LISTEN_PORT=80", "SCOPEGATE_SERVICE_HOST=example.org",
		"SCOPEGATE_SERVICE_PORT=http", "SCOPEGATE_SERVICE=x", "SCOPEGATE_HOST=10.0.0.1", "SCOPEGATE_PORT_80=80", "SCOPEGATE_PORT_80_TCP_PROTO=http",
		"SCOPEGATE_PORT_80_HTTP=tcp://10.96.0.1:80", "SCOPEGATE_LISTN=", "SCOPEGATE_ADMIN_PORT=",
	}
	_, err := config.LoadEngine(config.Sources{Environ: misspelt})
	if err == nil {
		t.Fatal("no error")
	}
	for _, variable := range misspelt {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.Contains(err.Error(), "\n"+name+": there is no such setting") {
			t.Errorf("%s is not refused:\n%v", variable, err)
		}
	}
}
