package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

func TestTheNewestOfTooManyClientsAreTheFaultOfTheParameter(t *testing.T) {
	s := newStage(t)
	s.searcher.answer = func(context.Context, tenancy.Scope, search.Query) (search.Result, error) {
		return search.Result{}, fmt.Errorf("engine text: %w", search.ErrTooManyClients)
	}
	p := s.get(t, "/api/v1/sessions?groupByClientId=true", s.supervisor(t)).problem(t, http.StatusBadRequest)
	if len(p.Details) != 1 || p.Details[0].Parameter != "groupByClientId" || !strings.Contains(p.Detail, "narrow") || strings.Contains(p.Detail, "engine") {
		t.Errorf("%+v", p)
	}
}
