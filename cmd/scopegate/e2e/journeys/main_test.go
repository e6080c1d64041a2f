package journeys_test

import (
	"testing"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
