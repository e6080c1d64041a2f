package tenancy_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// logged is a log that a test reads while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count tells how many lines hold the text.
func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// overwrite puts the text into the file in place, as a shell's > does.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace puts a file of the text where the file is.
func replace(t *testing.T, path, text string) {
	t.Helper()
	overwrite(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

const twoRevocations = "{\"jti\":\"a\"}\n{\"issuer\":\"%s\",\"subject\":\"s\",\"before\":\"2100-01-01T00:00:00Z\"}\n"

// TestRevocationsThatAreLostByAccidentStayInForce: which tokens are refused
// shortly after the file has changed, and after max stale.
func TestRevocationsThatAreLostByAccidentStayInForce(t *testing.T) {
	const warning = "they stay in force for now"
	for name, c := range map[string]struct {
		change      func(t *testing.T, path string)
		soon, later []bool // whether a token with the jti is refused, and one of the account
		warnings    int
	}{
		"emptied in place": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, "") },
			[]bool{true, true}, []bool{false, false}, 1,
		},
		"blank lines alone": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, "\n \n") },
			[]bool{true, true}, []bool{false, false}, 1,
		},
		"replaced by an empty file": {
			func(t *testing.T, path string) { t.Helper(); replace(t, path, "") },
			[]bool{true, true}, []bool{false, false}, 1,
		},
		"cut after a line": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, "{\"jti\":\"a\"}\n") },
			[]bool{true, true}, []bool{true, false}, 1,
		},
		"cut within a line": {
			func(t *testing.T, path string) { t.Helper(); overwrite(t, path, "{\"jti\":\"a\"}\n{\"issuer\":\"") },
			[]bool{true, true}, []bool{true, true}, 0,
		},
		"removed": {
			func(t *testing.T, path string) {
				t.Helper()
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			[]bool{true, true}, []bool{true, true}, 0,
		},
		"emptied, and whole again in place": {
			func(t *testing.T, path string) {
				t.Helper()
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				overwrite(t, path, "")
				time.Sleep(2 * tenancytest.RefreshEvery)
				overwrite(t, path, string(whole))
			},
			[]bool{true, true}, []bool{true, true}, 1,
		},
		"emptied, then replaced by one without the jti": {
			func(t *testing.T, path string) {
				t.Helper()
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				_, account, _ := strings.Cut(string(whole), "\n")
				overwrite(t, path, "")
				time.Sleep(2 * tenancytest.RefreshEvery)
				replace(t, path, account)
			},
			[]bool{false, true}, []bool{false, true}, 1,
		},
		"replaced by one without the account": {
			func(t *testing.T, path string) { t.Helper(); replace(t, path, "{\"jti\":\"a\"}\n") },
			[]bool{true, false}, []bool{true, false}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			issuer, path, log := tenancytest.NewIssuer(t), filepath.Join(t.TempDir(), "revocations.ndjson"), &logged{}
			overwrite(t, path, fmt.Sprintf(twoRevocations, issuer.URL()))
			synctest.Test(t, func(t *testing.T) {
				verifier, err := tenancytest.StartVerifier(t.Context(), tenancy.VerifierOptions{
					Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer),
					Revocations: tenancy.RevocationsFile(path), Logger: slog.New(slog.NewTextHandler(log, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(verifier.Close)
				synctest.Wait()
				expires := time.Now().Add(time.Hour)
				tokens := []string{
					issuer.Token(t, tenancytest.Claims{Company: 7, Subject: "one", Expires: expires, Extra: map[string]any{"jti": "a"}}),
					issuer.Token(t, tenancytest.Claims{Company: 7, Subject: "s", Expires: expires}),
				}
				other := issuer.Token(t, tenancytest.Claims{Company: 7, Subject: "two", Expires: expires})
				check := func(when string, want []bool) {
					t.Helper()
					for i, token := range tokens {
						_, err := verifier.Verify(t.Context(), token)
						if reason, _, _ := tenancy.RefusalOf(err); (reason == tenancy.ReasonRevoked) != want[i] {
							t.Errorf("%s, token %d: %v, want it revoked: %t", when, i, err, want[i])
						}
					}
					if _, err := verifier.Verify(t.Context(), other); err != nil {
						t.Errorf("%s: a token that nobody took back: %v", when, err)
					}
				}
				check("at first", []bool{true, true})
				c.change(t, path)
				time.Sleep(2 * tenancytest.RefreshEvery)
				synctest.Wait()
				check("soon", c.soon)
				time.Sleep(tenancytest.MaxStale - 8*tenancytest.RefreshEvery)
				synctest.Wait()
				check("before max stale", c.soon)
				time.Sleep(10 * tenancytest.RefreshEvery)
				synctest.Wait()
				check("after max stale", c.later)
				if got := log.count(warning); got != c.warnings {
					t.Errorf("%d warnings, want %d", got, c.warnings)
				}
			})
		})
	}
}

func TestWhatHasExpiredMayBeTakenOutInPlaceWithoutAWarning(t *testing.T) {
	log := &logged{}
	issuer := tenancytest.NewIssuer(t)
	path := filepath.Join(t.TempDir(), "revocations.ndjson")
	overwrite(t, path, "{\"jti\":\"a\"}\n{\"jti\":\"b\",\"until\":\"1999-01-01T00:00:00Z\"}\n")
	synctest.Test(t, func(t *testing.T) {
		verifier, err := tenancytest.StartVerifier(t.Context(), tenancy.VerifierOptions{
			Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer),
			Revocations: tenancy.RevocationsFile(path), Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(verifier.Close)
		overwrite(t, path, "{\"jti\":\"a\"}\n")
		time.Sleep(2 * tenancytest.RefreshEvery)
		synctest.Wait()
	})
	if log.count("revocations loaded") != 2 || log.count("level=WARN") != 0 {
		t.Errorf("the log:\n%s", log.text.String())
	}
}

func TestADirectoryFileThatIsEmptiedCountsAfterMaxStaleOnly(t *testing.T) {
	issuer, path, log := tenancytest.NewIssuer(t), filepath.Join(t.TempDir(), "directory.ndjson"), &logged{}
	synctest.Test(t, func(t *testing.T) {
		identity := tenancytest.NewVerifier(t, tenancy.VerifierOptions{Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: clientOf(issuer)})
		caller, err := identity.Verify(t.Context(), issuer.Token(t, tenancytest.Claims{Company: 2}))
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, directoryFile)
		directory, err := tenancytest.StartDirectory(t.Context(), tenancy.DirectoryOptions{
			Source: tenancy.FileSource(path), CheckEmpty: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(directory.Close)
		after := func(d time.Duration, want error) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			var size []tenancy.CompanyID
			if want == nil {
				size = ids(2)
			}
			wantScope(t, directory, caller, tenancy.Selection{}, size, want)
			if err := directory.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
		}
		after(0, nil)
		overwrite(t, path, "")
		after(tenancytest.MaxStale-tenancytest.RefreshEvery, nil)
		overwrite(t, path, directoryFile) // it was an accident
		after(2*tenancytest.RefreshEvery, nil)
		overwrite(t, path, "\n")
		after(tenancytest.MaxStale-tenancytest.RefreshEvery, nil) // the doubt begins anew
		after(2*tenancytest.RefreshEvery, tenancy.ErrForbidden)
		overwrite(t, path, directoryFile)
		after(2*tenancytest.RefreshEvery, nil)
		if got := log.count("the one before stays in force"); got != 2 {
			t.Errorf("%d warnings, want 2", got)
		}
	})
}

// TestAFileThatIsBeingWrittenIsNotRead: what was read of it would be neither the
// old nor the new one.
func TestAFileThatIsBeingWrittenIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revocations.ndjson")
	source := tenancy.RevocationsFile(path)
	long := strings.Repeat("{\"jti\":\"a\"}\n", 20_000)
	overwrite(t, path, long)
	written := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-written:
				return
			default:
			}
			if os.WriteFile(path, []byte(long[:len(long)-12*(i%1000)]), 0o600) != nil {
				return
			}
		}
	}()
	noticed := false
	for range 20_000 {
		_, err := source.Load(t.Context())
		if noticed = err != nil && strings.Contains(err.Error(), "changed while it was being read"); noticed {
			break
		}
	}
	close(written)
	<-ended
	if !noticed {
		t.Error("no load noticed that the file was changing")
	}
	overwrite(t, path, long)
	if all, err := source.Load(t.Context()); err != nil || len(all.Tokens) != 20_000 {
		t.Errorf("afterwards: %d tokens, %v", len(all.Tokens), err)
	}
}
