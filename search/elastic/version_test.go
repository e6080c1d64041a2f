package elastic

import (
	"testing"

	"github.com/scopegate/scopegate/session"
)

func TestWhateverSearchesSeeIsANewSearchableVersion(t *testing.T) {
	t.Parallel()
	s := openStore(t, 2)
	at := func() string {
		t.Helper()
		v, err := s.SearchableVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := at()
	if again := at(); again != first {
		t.Errorf("it changes by itself: %s, then %s", first, again)
	}
	foreignWrite(t, s, session.KindSession, "s1", `{"id":"s1","companyId":1}`)
	if err := s.Importer().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := at()
	if second == first {
		t.Error("a write of another producer can be searched, and the version is the same")
	}
	change(t, s, company(1, 0, "One"))
	if third := at(); third != second {
		t.Error("a company is a new version of sessions")
	}
}
