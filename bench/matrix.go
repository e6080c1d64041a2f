package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// matrixAsks is how often a cell is asked at most, each time of another scope.
	matrixAsks = 5
	// matrixTarget is what the worst of a cell should not exceed.
	matrixTarget = 2 * time.Second
	// matrixSample is how many sessions lend their values to filters.
	matrixSample = 200
)

// matrixScopes are the numbers of companies that are searched.
func matrixScopes() []int { return []int{1, 1000, companyCount} }

// matrixCommand measures every filter and every order alone.
type matrixCommand struct {
	Scopegate     string        `default:"bin/scopegate" type:"existingfile" help:"The gateway's program."`
	Sessions      int           `default:"1000000" help:"Sessions to search (default ${default})."`
	Within        time.Duration `default:"45m" help:"How long all cells together may be asked (default ${default}); one that takes longer is asked once."`
	Elasticsearch string        `required:"" env:"SCOPEGATE_TEST_ELASTICSEARCH" placeholder:"URL" help:"http://HOST:PORT"`
	Out           string        `type:"path" placeholder:"FILE" help:"Page of the documentation whose block is replaced; none: print only."`
	Anew          bool          `help:"Load the data again, also what is there: a version of the gateway may store it differently."`
}

// Run measures and reports.
func (c matrixCommand) Run(ctx context.Context, std streams) (err error) {
	if c.Sessions < fewestSessions {
		return fmt.Errorf("at least %d sessions are needed", fewestSessions)
	}
	b, err := newBench(ctx, program(c.Scopegate), c.Sessions, std.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.issuer.close()) }()
	b.anew = c.Anew
	b.onBoth(c.Elasticsearch)
	if _, err := b.load(ctx, b.engines); err != nil {
		return err
	}
	all := table{
		title: "All cells", note: fmt.Sprintf("Medians, and the worst, of the cells below. Target: each cell at most %s.", milliseconds(matrixTarget)),
		head: []string{"engine", "cells", "median of the medians", "largest median", "worst", "cells above the target"},
	}
	var tables []table
	for _, e := range b.engines {
		rows, summary, err := b.matrix(ctx, e, c.Within/time.Duration(len(b.engines)))
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		all.rows = append(all.rows, append([]string{e.name}, summary...))
		tables = append(tables, rows)
	}
	about := fmt.Sprintf("%s sessions; gateway, engine and load share %s.", thousands(c.Sessions), processor())
	return publish(std.out, c.Out, "bench-matrix", markdown(target("bench-matrix", c.Sessions, defaultSeconds), about, append([]table{all}, tables...)))
}

// matrixRow is one condition or one order. Each ask has other values, where there
// are some.
type matrixRow struct {
	name     string
	asks     []query // at least one; asked in turn
	pageOnly bool    // an order changes neither count nor summary
}

// matrix measures all rows on one engine.
func (b *bench) matrix(ctx context.Context, e engine, within time.Duration) (rows table, summary []string, err error) {
	gateway, err := b.uncached(ctx, e)
	if err != nil {
		return table{}, nil, err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	m := matrix{address: gateway.API, token: b.token, dice: newDice()}
	list, err := m.rows(ctx)
	if err != nil {
		return table{}, nil, err
	}
	cells := 0
	for _, row := range list {
		cells += len(matrixScopes()) * len(row.kinds())
	}
	m.perCell = within / time.Duration(cells)
	rows = table{
		title: "Each alone, " + e.name,
		note: fmt.Sprintf("Cache off, one request at a time, %d requests a cell at most, each of other companies and values: median / worst. "+
			"The first page of 10, the count, and the summary.", matrixAsks),
		head: []string{"parameter"},
	}
	for _, companies := range matrixScopes() {
		for _, kind := range []string{"page", "count", "summary"} {
			rows.head = append(rows.head, fmt.Sprintf("%s, %s companies", kind, thousands(companies)))
		}
	}
	for _, row := range list {
		b.say("%s: %s", e.name, row.name)
		line, err := m.measure(ctx, row)
		if err != nil {
			return table{}, nil, fmt.Errorf("%s: %w", row.name, err)
		}
		rows.rows = append(rows.rows, line)
	}
	return rows, m.summary(), nil
}

// matrix asks one gateway.
type matrix struct {
	address string // http://HOST:PORT
	token   string
	dice    dice
	perCell time.Duration
	medians []time.Duration
	worst   time.Duration
	above   int // cells above the target
}

func (m *matrix) summary() []string {
	slices.Sort(m.medians)
	all := newSample(m.medians, 0)
	return []string{
		thousands(len(m.medians)), milliseconds(all.percentile(50)), milliseconds(all.percentile(100)), milliseconds(m.worst), thousands(m.above),
	}
}

// kinds are the paths, and what is added to the body for each.
func (r matrixRow) kinds() []matrixKind {
	kinds := []matrixKind{
		{searchPath, pageOnly()}, {searchPath, query{"withoutItems": true}}, {listPath + "/summary", query{}},
	}
	switch {
	case r.pageOnly:
		return kinds[:1]
	case r.name == groupName:
		return kinds[:2] // a summary does not take it
	}
	return kinds
}

type matrixKind struct {
	path string
	more query
}

func (m *matrix) measure(ctx context.Context, row matrixRow) ([]string, error) {
	line := []string{row.name}
	kinds := row.kinds()
	for _, companies := range matrixScopes() {
		for i := range 3 {
			if i >= len(kinds) {
				line = append(line, "–")
				continue
			}
			cell, err := m.cell(ctx, row, kinds[i], companies)
			if err != nil {
				return nil, err
			}
			line = append(line, cell)
		}
	}
	return line, nil
}

// cell asks until its time is over, at least once.
func (m *matrix) cell(ctx context.Context, row matrixRow, kind matrixKind, companies int) (string, error) {
	var took []time.Duration
	for began := time.Now(); len(took) < matrixAsks && (len(took) == 0 || time.Since(began) < m.perCell); {
		body := row.asks[len(took)%len(row.asks)].and(kind.more).and(m.dice.scope(companies))
		start := time.Now()
		status, err := m.post(ctx, kind.path, body, nil)
		if err != nil {
			return "", err
		}
		if status == http.StatusBadRequest && row.name == groupName {
			return "refused", nil // too many clients
		}
		if status != http.StatusOK && status != http.StatusGatewayTimeout {
			return "", fmt.Errorf("POST %s: %w: %d", kind.path, errStatus, status)
		}
		took = append(took, time.Since(start))
	}
	s := newSample(took, 0)
	median, worst := s.percentile(50), s.percentile(100)
	m.medians = append(m.medians, median)
	m.worst = max(m.worst, worst)
	if worst > matrixTarget {
		m.above++
		return fmt.Sprintf("**%s / %s**", milliseconds(median), milliseconds(worst)), nil
	}
	return fmt.Sprintf("%s / %s", milliseconds(median), milliseconds(worst)), nil
}

var errStatus = errors.New("answered with a status that was not expected")

// post sends a body and reads the whole answer. into is decoded from a 200.
func (m *matrix) post(ctx context.Context, path string, body query, into any) (status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	return m.send(ctx, http.MethodPost, path, bytes.NewReader(text), into)
}

func (m *matrix) send(ctx context.Context, method, path string, body io.Reader, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, m.address+path, body)
	if err != nil {
		return 0, err
	}
	r.Header = http.Header{"Authorization": {"Bearer " + m.token}, "Content-Type": {"application/json"}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	said, err := io.ReadAll(answer.Body)
	if err == nil && into != nil && answer.StatusCode == http.StatusOK {
		err = json.Unmarshal(said, into)
	}
	return answer.StatusCode, err
}

const groupName = "groupByClientId"

// rows are nothing, every filter of the gateway's own contract, keywords, dates, and
// every order.
func (m *matrix) rows(ctx context.Context) ([]matrixRow, error) {
	parameters, orders, err := m.contract(ctx)
	if err != nil {
		return nil, err
	}
	var sample struct {
		Items []map[string]any `json:"items"`
	}
	if status, err := m.post(ctx, searchPath, everything().and(query{"limit": matrixSample, "withoutCount": true}), &sample); err != nil || status != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("a sample: %w: %d", errStatus, status))
	}
	rows := []matrixRow{{name: "nothing", asks: []query{{}}}}
	for _, name := range parameters {
		values, known := matrixValues(name, sample.Items)
		switch {
		case !known:
			return nil, fmt.Errorf("%w of %s: add one to bench/matrix.go", errNoExample, name)
		case len(values) > 0:
			row := matrixRow{name: name}
			for _, value := range values {
				row.asks = append(row.asks, query{name: value})
			}
			rows = append(rows, row)
		}
	}
	more, err := m.textsAndDates(sample.Items)
	if err != nil {
		return nil, err
	}
	rows = append(rows, more...)
	for _, order := range orders {
		for _, sign := range []string{"", "-"} {
			rows = append(rows, matrixRow{name: "sort=" + sign + order, asks: []query{{"sort": []string{sign + order}}}, pageOnly: true})
		}
	}
	return rows, nil
}

var errNoExample = errors.New("no example")

// contract reads the filters and the orders that the gateway has.
func (m *matrix) contract(ctx context.Context) (filters, orders []string, err error) {
	var contract struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
				Enum       []string       `json:"enum"`
			} `json:"schemas"`
		} `json:"components"`
	}
	status, err := m.send(ctx, http.MethodGet, "/openapi.json", http.NoBody, &contract)
	schemas := contract.Components.Schemas
	if err == nil && (status != http.StatusOK || len(schemas["SummaryBody"].Properties) == 0 || len(schemas["SortField"].Enum) == 0) {
		err = fmt.Errorf("the contract: %w: %d", errStatus, status)
	}
	filters = append(slices.Sorted(maps.Keys(schemas["SummaryBody"].Properties)), groupName)
	return filters, schemas["SortField"].Enum, err
}

// matrixValues are the values that a parameter is asked with, one for each request.
// There are none for what is no filter, or is measured otherwise.
func matrixValues(name string, sample []map[string]any) (values []any, known bool) {
	of := func(field string) (found []any) {
		for _, session := range sample {
			if text, ok := session[field].(string); ok && text != "" && !slices.Contains(found, any(text)) && len(found) < matrixAsks {
				found = append(found, text)
			}
		}
		return found
	}
	lists := func(values []any) (found []any) {
		for _, value := range values {
			found = append(found, []any{value})
		}
		return found
	}
	field := strings.TrimSuffix(name, "Not")
	switch field {
	case "sessionId":
		return of("id"), true
	case "chatId", "name", "botStatus", "clientId":
		return of(field), true
	case "messengerType", "operatorType", "status", "operatorId":
		return lists(of(field)), true
	case "tags":
		var tags []any
		for _, list := range of(field) {
			tag, _, _ := strings.Cut(list.(string), ",")
			tags = append(tags, strings.TrimSpace(tag))
		}
		return lists(tags), true
	case "minMessageCount":
		return []any{1, 5, 20}, true
	case "ratingMin", "ratingMax", "npsMin", "npsMax":
		return []any{2, 3, 4}, true
	case "timerFirstAnswerMin":
		return []any{10, 60, 600}, true
	case "onlyClientMessages", groupName:
		return []any{true}, true
	case "markedAsSpam", "clientBanned", "closed", "isLostSession", "hasUnread":
		return []any{true, false}, true
	case "from", "to", "dateField", "keyword", // measured otherwise
		"companyId", "companyIds", "branchIds", "exceptCompanyIds", "exceptBranchIds", "showAllSupervised", // the scope
		"interval", "timezone", "histogram", "fill", "facets", "top", "exceptOwn": // what a summary counts
		return nil, true
	}
	return nil, false
}

// textsAndDates are keywords of several lengths, and ranges of dates.
func (m *matrix) textsAndDates(sample []map[string]any) ([]matrixRow, error) {
	var found []string
	for _, session := range sample {
		if name, ok := session["name"].(string); ok {
			found = append(found, name)
		}
	}
	var rows []matrixRow
	for _, length := range []int{1, 2, 3, longKeyword} {
		words, err := m.dice.keywords(found, matrixAsks, length)
		if err != nil {
			return nil, err
		}
		row := matrixRow{name: fmt.Sprintf("keyword of %d", length)}
		for _, word := range words {
			row.asks = append(row.asks, query{"keyword": word})
		}
		rows = append(rows, row)
	}
	end, err := time.Parse(time.RFC3339, seedNow)
	if err != nil {
		return nil, err
	}
	for _, span := range []struct {
		name string
		days int
	}{{"a day", 1}, {"a month", 30}, {"a year", 365}} {
		row := matrixRow{name: "dates of " + span.name}
		for n := range matrixAsks {
			to := end.AddDate(0, 0, -n*span.days)
			row.asks = append(row.asks, query{
				"from": to.AddDate(0, 0, -span.days).Format(time.RFC3339), "to": to.Format(time.RFC3339),
			})
		}
		rows = append(rows, row)
	}
	return rows, nil
}
