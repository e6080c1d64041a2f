package export

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDatesAreWrittenAsTheLibraryWritesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "minutes"))
		// In every zone the year keeps its four digits.
		at := time.UnixMilli(rapid.Int64Range(-62_000_000_000_000, 253_400_000_000_000).Draw(t, "ms")).In(zone)
		if got, want := string(appendRFC3339(nil, at)), at.Format("2006-01-02T15:04:05.000Z07:00"); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
		if got, want := string(appendPlain(nil, at)), at.Format(time.DateTime); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
	})
}
