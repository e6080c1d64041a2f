package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// EnvPrefix begins the name of every environment variable that is a setting.
const EnvPrefix = "SCOPEGATE_"

// EnvName returns the environment variable of a setting.
func EnvName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// readEnviron reads settings from variables. An empty variable counts as not set,
// since `${NAME:-}` in a Compose file gives an empty one.
func (l *loader) readEnviron(environ []string) {
	keys := map[string]string{}
	for _, key := range Keys() {
		keys[EnvName(key)] = key
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, EnvPrefix) || foreign(name) {
			continue
		}
		key, known := keys[name]
		switch {
		case known && value != "":
			l.assign(key, value, name)
		case !known && !serviceLink(name, value):
			l.faults.note("%s: there is no such setting; `scopegate config keys` lists them", name)
		}
	}
}

// foreign reports whether other commands, the tests or their services read the
// variable.
func foreign(name string) bool {
	return slices.Contains([]string{EnvPrefix + "CONFIG", EnvPrefix + "DATA", EnvPrefix + "REQUIRE_SERVICES", EnvPrefix + "SCREENSHOT", EnvPrefix + "TOKEN"}, name) ||
		strings.HasPrefix(name, EnvPrefix+"TEST_") || strings.HasPrefix(name, EnvPrefix+"SERVICES_")
}

// serviceLink reports whether Kubernetes sets the variable. It does so in every pod
// of a namespace, for each Service whose name is scopegate or begins with
// scopegate- (enableServiceLinks, which is on by default;
// kubernetes.io/docs/concepts/services-networking/service, "Environment
// variables"). The value must fit too: SCOPEGATE_REDIS_PORT=6379 is not such a
// variable, but an unknown setting.
func serviceLink(name, value string) bool {
	for _, shape := range []struct {
		name  *regexp.Regexp
		value func(string) bool
	}{
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?SERVICE_HOST$`), isAddress},
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?SERVICE_PORT(_\w+)?$`), isPort},
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP))?$`), regexp.MustCompile(`^(tcp|udp|sctp)://`).MatchString},
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)_PROTO$`), regexp.MustCompile(`^(tcp|udp|sctp)$`).MatchString},
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)_PORT$`), isPort},
		{regexp.MustCompile(`^SCOPEGATE_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)_ADDR$`), isAddress},
	} {
		if shape.name.MatchString(name) && shape.value(value) {
			return true
		}
	}
	return false
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
