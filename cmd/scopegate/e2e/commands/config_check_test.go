package commands_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/cli"
	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

// checkedConfig runs config check on settings besides an issuer, in a folder of
// its own.
func checkedConfig(t *testing.T, args ...string) (out, warnings string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	all := append([]string{"config", "check", "--set", "sqlite.dir=" + filepath.Join(t.TempDir(), "new", "data")}, args...)
	err = cli.Run(t.Context(), all, cli.Environ{`SCOPEGATE_IDENTITY_ISSUERS=[{issuer: i, jwks_url: "https://i.example/jwks", audiences: [a]}]`},
		cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return stdout.String(), stderr.String(), err
}

func sets(settings ...string) []string {
	var args []string
	for _, setting := range settings {
		args = append(args, "--set", setting)
	}
	return args
}

func writtenFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheckFindsFilesThatAGatewayCouldNotUse(t *testing.T) {
	_, tls := harness.CertificateOf(t)
	_, other := harness.CertificateOf(t)
	missing, noPEM, folder := filepath.Join(t.TempDir(), "no", "file"), writtenFile(t, "hello\n"), t.TempDir()
	cert := strings.TrimPrefix(tls[0], "tls.cert_file=")
	for name, test := range map[string]struct{ settings, says []string }{
		"a certificate and key that are not there": {[]string{"tls.cert_file=" + missing, "tls.key_file=" + missing},
			[]string{"tls.cert_file: " + missing + ": no such file", "tls.key_file: " + missing + ": no such file"}},
		"a certificate that is none":       {[]string{"tls.cert_file=" + noPEM, tls[1]}, []string{"tls.cert_file: " + noPEM + ": holds no certificate in PEM"}},
		"a key in place of a certificate":  {[]string{strings.Replace(tls[1], "key_file", "cert_file", 1), tls[1]}, []string{"holds no certificate in PEM"}},
		"a key of another certificate":     {[]string{tls[0], other[1]}, []string{"tls.key_file: ", "holds no private key in PEM that fits"}},
		"authorities that are not there":   {[]string{"redis.ca_file=" + missing, "redis.tls=true"}, []string{"redis.ca_file: " + missing + ": no such file"}},
		"authorities that are none":        {[]string{"redis.ca_file=" + noPEM, "redis.tls=true"}, []string{"redis.ca_file: " + noPEM + ": holds no certificate in PEM"}},
		"authorities in a folder":          {[]string{"redis.ca_file=" + folder, "redis.tls=true"}, []string{"redis.ca_file: " + folder + ": is a directory"}},
		"authorities of an index":          {[]string{"elasticsearch.ca_file=" + noPEM}, []string{"elasticsearch.ca_file: " + noPEM}},
		"authorities and no TLS":           {[]string{"redis.ca_file=" + cert}, []string{"redis.ca_file: is of no use while redis.tls is false"}},
		"a directory that is not there":    {[]string{"directory.file=" + missing}, []string{"directory.file: " + missing + ": no such file"}},
		"a directory that is none":         {[]string{"directory.file=" + noPEM}, []string{"directory.file: " + noPEM + ": line 1: "}},
		"revocations that are not there":   {[]string{"identity.revocations=" + missing}, []string{"identity.revocations: " + missing}},
		"revocations that are none":        {[]string{"identity.revocations=" + noPEM}, []string{"identity.revocations: " + noPEM + ": line 1: "}},
		"an audit file in no folder":       {[]string{"audit.file=" + missing}, []string{"audit.file: "}},
		"an audit file that is a folder":   {[]string{"audit.file=" + folder}, []string{"audit.file: " + folder + ": is a folder"}},
		"a temporary folder not there":     {[]string{"exports.temp_dir=" + missing}, []string{"exports.temp_dir: " + missing + ": no such file"}},
		"a temporary folder that is none":  {[]string{"exports.temp_dir=" + noPEM}, []string{"exports.temp_dir: " + noPEM + ": is no folder"}},
		"a data folder that is a file":     {[]string{"sqlite.dir=" + noPEM}, []string{"sqlite.dir: " + noPEM + ": is no folder"}},
		"a data folder that is in a file":  {[]string{"sqlite.dir=" + filepath.Join(noPEM, "data")}, []string{"sqlite.dir: "}},
		"faults of settings and of a file": {[]string{"cache.fresh=5", "directory.file=" + missing}, []string{"cache.fresh: must be a duration", "directory.file: " + missing}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := checkedConfig(t, sets(test.settings...)...)
			if cli.ExitCode(err, io.Discard) != cli.ExitUsage {
				t.Fatalf("error %v, want exit code %d", err, cli.ExitUsage)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("lacks %q:\n%v", says, err)
				}
			}
		})
	}
	if _, _, err := checkedConfig(t, append(sets("directory.file="+missing, "audit.file="+missing, "exports.temp_dir="+missing), "--no-files")...); err != nil {
		t.Errorf("with --no-files: %v", err)
	}
}

func TestConfigCheckTakesFilesThatFitAndChangesNothing(t *testing.T) {
	_, tls := harness.CertificateOf(t)
	dir := t.TempDir()
	settings := slices.Concat(tls, []string{
		"redis.ca_file=" + strings.TrimPrefix(tls[0], "tls.cert_file="), "redis.tls=true",
		"directory.file=" + writtenFile(t, `{"type":"company","doc":{"id":1,"name":"Root","parentId":null}}`+"\n"),
		"identity.revocations=" + writtenFile(t, `{"jti":"x"}`+"\n"), "audit.file=" + filepath.Join(dir, "audit.log"), "exports.temp_dir=" + dir, "admin.listen=:9090",
	})
	out, warnings, err := checkedConfig(t, sets(settings...)...)
	if err != nil || !strings.Contains(out, "audit.log") {
		t.Fatalf("error %v, printed:\n%s", err, out)
	}
	if !strings.HasPrefix(warnings, "warning: admin.listen: :9090 can be reached") {
		t.Errorf("warned: %q", warnings)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
	if _, _, err := checkedConfig(t, sets("sqlite.dir="+harness.SmallTree(t))...); err != nil {
		t.Errorf("a folder in use: %v", err)
	}
}
