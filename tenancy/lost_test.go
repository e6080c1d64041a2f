package tenancy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhatIsLostIsWhatTheNextSetNoLongerRefuses: beside what it has lost, the next
// set refuses all that the one before refused.
func TestWhatIsLostIsWhatTheNextSetNoLongerRefuses(t *testing.T) {
	now := time.Date(2026, time.March, 1, 10, 0, 0, 0, time.UTC)
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	issuer := rapid.SampledFrom([]string{"", "i", "j"})
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		return now.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "minutes")) * time.Minute)
	})
	revoked := rapid.Custom(func(t *rapid.T) Revoked {
		return Revoked{
			Tokens: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RevokedToken {
				return RevokedToken{ID: name.Draw(t, "jti"), Issuer: issuer.Draw(t, "issuer"), Until: instant.Draw(t, "until")}
			}), 0, 5).Draw(t, "tokens"),
			Accounts: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RevokedAccount {
				return RevokedAccount{Account{"i", name.Draw(t, "sub")}, now.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "before")) * time.Minute)}
			}), 0, 5).Draw(t, "accounts"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		first := revoked.Draw(t, "first")
		before, next := newRevokedSet("1", first), newRevokedSet("2", revoked.Draw(t, "next"))
		lost := before.missing(next, now)
		caller := Principal{
			account: Account{rapid.SampledFrom([]string{"i", "j"}).Draw(t, "iss"), name.Draw(t, "sub")},
			proof:   proof{id: name.Draw(t, "jti"), issued: instant.Draw(t, "iat"), leeway: 30 * time.Second},
		}
		if before.holds(caller, now) && !next.holds(caller, now) && (lost == nil || !lost.holds(caller, now)) {
			t.Fatalf("%+v was refused, and neither next nor lost refuses it", caller)
		}
		if lost != nil && lost.holds(caller, now) && !before.holds(caller, now) {
			t.Fatalf("lost refuses %+v, which was not refused", caller)
		}
		if again := before.missing(newRevokedSet("3", first), now); again != nil {
			t.Fatalf("a set has lost %+v of itself", again)
		}
	})
}
