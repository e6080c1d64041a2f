package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/schollz/progressbar/v3"
)

func TestTheBarOfAnExportShowsRateAndTimeLeft(t *testing.T) {
	var out bytes.Buffer
	bar := drawBar(&out, "rows", -1, progressbar.OptionThrottle(0), progressbar.OptionShowCount(), progressbar.OptionShowIts())
	bar.show(250, 1000)
	bar.done()
	for _, want := range []string{"rows", "25%", "(250/1000", "it/", ":"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("draws %q, want %q in it", out.String(), want)
		}
	}
	if newCountBar(&out, "rows", 5).show(1, 5); strings.Contains(out.String(), "1/5") {
		t.Error("draws where nobody watches")
	}
}
