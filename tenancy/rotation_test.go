package tenancy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/tenancy"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// The tests of this file run on a clock of their own (testing/synctest), so
// that minutes pass at once and what they say of time is exact. The issuer is
// asked by a transport without a network.

// bubbled is a verifier of one issuer within a synctest bubble.
type bubbled struct {
	*testing.T

	issuer   *tenancytest.Issuer
	verifier *tenancy.Verifier
}

// inProcess hands requests to the issuer's handler.
type inProcess struct{ issuer http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	p.issuer.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// inBubble runs the test against a verifier that has its keys, unless the
// issuer was told to answer otherwise before.
func inBubble(t *testing.T, before http.Handler, run func(b *bubbled)) {
	t.Helper()
	issuer := tenancytest.NewIssuer(t)
	issuer.Answer(before)
	synctest.Test(t, func(t *testing.T) {
		verifier := startVerifier(t, clientOf(issuer), issuer.Options())
		synctest.Wait()
		run(&bubbled{t, issuer, verifier})
	})
}

// startVerifier does not wait for the keys.
func startVerifier(t *testing.T, client *http.Client, issuers ...tenancy.IssuerOptions) *tenancy.Verifier {
	t.Helper()
	verifier, err := tenancytest.StartVerifier(t.Context(), tenancy.VerifierOptions{Issuers: issuers, HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	return verifier
}

func (b *bubbled) token() string {
	b.Helper()
	return b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Expires: time.Now().Add(48 * time.Hour)})
}

func (b *bubbled) want(token string, want error) {
	b.Helper()
	if _, err := b.verifier.Verify(b.Context(), token); !errors.Is(err, want) {
		b.Fatalf("got %v, want %v", err, want)
	}
}

// spray sends tokens of made-up kids, a hundred a second, until ctx ends. None
// of them may wait for more than a second.
func (b *bubbled) spray(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Header: map[string]any{"kid": fmt.Sprint("made-up-", n)}})
		go func() {
			begun := time.Now()
			_, _ = b.verifier.Verify(ctx, token)
			if waited := time.Since(begun); waited > time.Second {
				b.Errorf("a made-up kid waited %s", waited)
			}
		}()
		time.Sleep(10 * time.Millisecond)
	}
}

// hang answers when the asker has lost patience.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestAnUnknownKidFetchesTheNewKeyAtOnce(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		old := b.token()
		b.want(old, nil)
		time.Sleep(tenancy.UnknownKeyInterval)
		b.issuer.Rotate(b.T)
		b.want(b.token(), nil)
		b.want(old, tenancy.ErrTokenInvalid)
	})
}

func TestARequestWaitsForAFetchThatIsUnderWay(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		b.issuer.Rotate(b.T)
		b.issuer.Answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			b.issuer.Answer(nil)
			b.issuer.ServeHTTP(w, r)
		}))
		time.Sleep(tenancy.DefaultRefreshKeys + 500*time.Millisecond)
		b.want(b.token(), nil)
	})
}

func TestAKeyTakenAwayEndsRememberedTokensWithinThirtySeconds(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		old := b.token()
		b.want(old, nil)
		b.issuer.Rotate(b.T)
		time.Sleep(30 * time.Second)
		b.want(old, tenancy.ErrTokenInvalid)
	})
}

func TestRotationIsPickedUpWithinThirtySecondsUnderASprayOfUnknownKids(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		ctx, stop := context.WithCancel(b.Context())
		defer stop()
		go b.spray(ctx)
		time.Sleep(time.Minute)
		before := b.issuer.Asked()
		b.issuer.Rotate(b.T)
		fresh := b.token()
		time.Sleep(30 * time.Second)
		b.want(fresh, nil)
		if asked := b.issuer.Asked() - before; asked > 7 {
			b.Errorf("the spray made %d requests to the issuer in 30 s, want at most one in 5 s", asked)
		}
		stop()
		time.Sleep(time.Second) // the spray sees that it is to end
	})
}

func TestTheSprayDoesNotWaitForAnIssuerThatIsSlow(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		ctx, stop := context.WithCancel(b.Context())
		defer stop()
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(4 * time.Second)
			b.issuer.Answer(nil)
			b.issuer.ServeHTTP(w, r)
		}
		go b.spray(ctx)
		for range 3 {
			b.issuer.Answer(http.HandlerFunc(slow))
			b.issuer.Rotate(b.T)
			fresh := b.token()
			time.Sleep(30 * time.Second)
			b.want(fresh, nil)
		}
		stop()
		time.Sleep(5 * time.Second) // the spray sees that it is to end
	})
}

func TestNoRequestWaitsMoreThanASecondForAKeySet(t *testing.T) {
	waits := func(b *bubbled, token string, want error) {
		b.Helper()
		begun := time.Now()
		b.want(token, want)
		if waited := time.Since(begun); waited > time.Second {
			b.Errorf("waited %s", waited)
		}
	}
	t.Run("while there is none yet", func(t *testing.T) {
		inBubble(t, http.HandlerFunc(hang), func(b *bubbled) {
			waits(b, b.token(), tenancy.ErrKeysUnavailable)
		})
	})
	t.Run("for a kid that is unknown", func(t *testing.T) {
		inBubble(t, nil, func(b *bubbled) {
			time.Sleep(tenancy.UnknownKeyInterval)
			b.issuer.Answer(http.HandlerFunc(hang))
			b.issuer.Rotate(b.T)
			waits(b, b.token(), tenancy.ErrTokenInvalid)
			waits(b, b.token(), tenancy.ErrTokenInvalid)
		})
	})
	t.Run("not even that for a kid that is known", func(t *testing.T) {
		inBubble(t, nil, func(b *bubbled) {
			b.issuer.Answer(http.HandlerFunc(hang))
			time.Sleep(time.Minute)
			begun := time.Now()
			b.want(b.token(), nil)
			if waited := time.Since(begun); waited > 0 {
				b.Errorf("waited %s", waited)
			}
		})
	})
}

func TestARequestThatGoesAwayStopsWaiting(t *testing.T) {
	inBubble(t, http.HandlerFunc(hang), func(b *bubbled) {
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := b.verifier.Verify(ctx, b.token())
		if !errors.Is(err, tenancy.ErrKeysUnavailable) || time.Since(begun) > 10*time.Millisecond {
			b.Errorf("got %v after %s", err, time.Since(begun))
		}
	})
}

func TestKnownKeysOutliveWhateverTheIssuerAnswers(t *testing.T) {
	for name, outage := range map[string]http.Handler{
		"status 500":        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"status 404":        http.NotFoundHandler(),
		"a redirect":        http.RedirectHandler("/elsewhere", http.StatusFound),
		"nothing in time":   http.HandlerFunc(hang),
		"an error with 200": answer(`{"error":"try later"}`),
		"an empty object":   answer(`{}`),
		"keys null":         answer(`{"keys":null}`),
		"keys an object":    answer(`{"keys":{}}`),
		"a page with 200":   answer(`<!doctype html><title>Sign in</title>`),
		"an empty body":     answer(``),
		"a list":            answer(`[]`),
		"null":              answer(`null`),
		"a body cut":        answer(`{"keys":[{"kty":"OKP"`),
		"more than 1 MiB":   answer(`{"keys":[]}` + strings.Repeat(" ", 1<<20)),
		"a broken transfer": http.HandlerFunc(broken),
		"keys a string":     answer(`{"keys":"none"}`),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(b *bubbled) {
				b.issuer.Answer(outage)
				time.Sleep(10 * time.Minute)
				b.want(b.token(), nil)
				if err := b.verifier.Ready(); err != nil {
					b.Errorf("not ready: %v", err)
				}
				b.issuer.Answer(nil)
				b.issuer.Rotate(b.T)
				time.Sleep(30 * time.Second)
				b.want(b.token(), nil)
			})
		})
	}
}

// broken promises more than it sends.
func broken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"keys":[]`))
}

// A body without end needs a real connection, on which the issuer sees that its
// reader has had enough, and one that is packed is unpacked.
func TestABodyWithoutEndIsReadToItsBoundOnly(t *testing.T) {
	for name, c := range map[string]struct {
		pack  func(http.ResponseWriter) io.Writer
		block int
	}{
		"plain":  {func(w http.ResponseWriter) io.Writer { return w }, 1 << 16},
		"packed": {packed, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := tenancytest.NewIssuer(t)
			verifier := tenancytest.NewVerifier(t, tenancy.VerifierOptions{
				Issuers: []tenancy.IssuerOptions{issuer.Options()}, HTTPClient: issuer.Client(), RefreshKeys: 10 * time.Millisecond,
			})
			hungUp := make(chan struct{}, 100)
			issuer.Answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, block := c.pack(w), bytes.Repeat([]byte(" "), c.block)
				for range 1 << 30 / c.block { // 1 GiB
					if _, err := body.Write(block); err != nil || r.Context().Err() != nil {
						hungUp <- struct{}{}
						return
					}
				}
				t.Error("a gigabyte was read")
			}))
			<-hungUp
			<-hungUp // again: the first answer is done with
			if _, err := verifier.Verify(context.Background(), issuer.Token(t, tenancytest.Claims{Company: 7})); err != nil {
				t.Errorf("the known keys are lost: %v", err)
			}
			if err := verifier.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
		})
	}
}

// packed sends each block at once, a thousandth of its size.
func packed(w http.ResponseWriter) io.Writer {
	w.Header().Set("Content-Encoding", "gzip")
	return flushing{gzip.NewWriter(w), w}
}

type flushing struct {
	*gzip.Writer

	to http.ResponseWriter
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.Flush()
	}
	if err == nil {
		err = http.NewResponseController(f.to).Flush()
	}
	return n, err
}

func TestASetWithoutUsableKeysIsBelievedAfterAMinute(t *testing.T) {
	for name, body := range map[string]string{
		"empty":            `{"keys":[]}`,
		"symmetric keys":   `{"keys":[{"kty":"oct","kid":"key-1","k":"AAAA"}]}`,
		"keys of no kind":  `{"keys":[{}, 1, "x", null]}`,
		"a key for no one": `{"keys":[{"kty":"XX","kid":"key-1"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(b *bubbled) {
				token := b.token()
				b.issuer.Answer(answer(body))
				time.Sleep(45 * time.Second)
				b.want(token, nil)
				time.Sleep(75 * time.Second)
				b.want(token, tenancy.ErrTokenInvalid)
				if err := b.verifier.Ready(); !errors.Is(err, tenancy.ErrKeysUnavailable) {
					b.Errorf("ready: got %v, want ErrKeysUnavailable", err)
				}
				b.issuer.Answer(nil)
				time.Sleep(30 * time.Second)
				b.want(token, nil)
			})
		})
	}
}

func TestAnIssuerThatIsDownAtTheStartIsNoErrorAndIsNamed(t *testing.T) {
	inBubble(t, http.NotFoundHandler(), func(b *bubbled) {
		err := b.verifier.Ready()
		if !errors.Is(err, tenancy.ErrKeysUnavailable) || !strings.Contains(err.Error(), b.issuer.URL()) {
			b.Errorf("ready: got %v, want ErrKeysUnavailable and the issuer's name", err)
		}
		b.want(b.token(), tenancy.ErrKeysUnavailable)
		b.issuer.Answer(nil)
		time.Sleep(30 * time.Second)
		b.want(b.token(), nil)
		if err := b.verifier.Ready(); err != nil {
			b.Errorf("not ready: %v", err)
		}
	})
}

func TestEachIssuerWithoutKeysIsNamedThoughOthersHaveTheirs(t *testing.T) {
	up, down := tenancytest.NewIssuer(t), tenancytest.NewIssuer(t)
	down.Answer(http.NotFoundHandler())
	synctest.Test(t, func(t *testing.T) {
		options := []tenancy.IssuerOptions{up.Options(), down.Options()}
		for i := range options {
			options[i].Companies = []tenancy.CompanyID{7}
		}
		verifier := startVerifier(t, &http.Client{Transport: byHost{up.URL(): up, down.URL(): down}}, options...)
		synctest.Wait()
		b := &bubbled{t, up, verifier}
		b.want(b.token(), nil)
		other := &bubbled{t, down, verifier}
		other.want(other.token(), tenancy.ErrKeysUnavailable)
		err := verifier.Ready()
		if !errors.Is(err, tenancy.ErrKeysUnavailable) || !strings.Contains(err.Error(), down.URL()) || strings.Contains(err.Error(), up.URL()) {
			t.Errorf("ready: got %v, want the name of the issuer that is down alone", err)
		}
		down.Answer(nil)
		time.Sleep(30 * time.Second)
		other.want(other.token(), nil)
		if err := verifier.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
	})
}

// byHost hands requests to the handler of their host.
type byHost map[string]http.Handler

func (h byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	return inProcess{h["http://"+r.URL.Host]}.RoundTrip(r)
}

func TestARememberedTokenExpires(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		token := b.issuer.Token(b.T, tenancytest.Claims{Company: 7, Expires: time.Now().Add(time.Minute)})
		b.want(token, nil)
		time.Sleep(time.Minute + tenancy.Leeway - time.Second)
		b.want(token, nil)
		time.Sleep(time.Second)
		b.want(token, tenancy.ErrTokenExpired)
		b.want(token, tenancy.ErrTokenExpired)
	})
}

func TestOneFetchAtATimeHoweverManyWait(t *testing.T) {
	inBubble(t, nil, func(b *bubbled) {
		time.Sleep(tenancy.UnknownKeyInterval)
		before := b.issuer.Asked()
		b.issuer.Rotate(b.T)
		token := b.token()
		for range 200 {
			go func() {
				if _, err := b.verifier.Verify(b.Context(), token); err != nil {
					b.Errorf("got %v", err)
				}
			}()
		}
		synctest.Wait()
		if asked := b.issuer.Asked() - before; asked != 1 {
			b.Errorf("the issuer was asked %d times, want once", asked)
		}
	})
}

// clientOf reaches the issuer without a network.
func clientOf(issuer *tenancytest.Issuer) *http.Client {
	return &http.Client{Transport: inProcess{issuer}}
}
