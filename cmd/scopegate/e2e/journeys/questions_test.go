package journeys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cmd/scopegate/e2e/harness"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/searchtest"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// questionsPerCheck is how many questions each of rapid's 100 checks asks. The
// suite of the engines asks them more; this is how HTTP puts them.
//
// SCOPEGATE_QUESTIONS is how many questions each engine is asked in all, instead.
func questionsPerCheck(t *testing.T) map[string]int {
	t.Helper()
	if text := os.Getenv("SCOPEGATE_QUESTIONS"); text != "" {
		all, err := strconv.Atoi(text)
		if err != nil || all < 100 {
			t.Fatalf("SCOPEGATE_QUESTIONS is %q: it must be a number of 100 or more", text)
		}
		return map[string]int{"SQLite": all / 100, "Elasticsearch": all / 100, "Elasticsearch, copied from SQLite": 2}
	}
	return map[string]int{"SQLite": 10, "Elasticsearch": 5, "Elasticsearch, copied from SQLite": 2}
}

// overseer is the company above all those of a corpus.
const overseer = 1_000_000

func TestGeneratedQuestionsOverHTTPAreAnsweredAsByAScan(t *testing.T) {
	corpus, err := searchtest.NewCorpus(1, 600)
	if err != nil {
		t.Fatal(err)
	}
	for name, fill := range map[string]func(*testing.T, []string) harness.Place{
		"SQLite": func(t *testing.T, lines []string) harness.Place {
			t.Helper()
			return filled(t, harness.EmptyFolder(t), lines)
		},
		"Elasticsearch": func(t *testing.T, lines []string) harness.Place {
			t.Helper()
			return filled(t, harness.EmptyIndices(t), lines)
		},
		"Elasticsearch, copied from SQLite": func(t *testing.T, lines []string) harness.Place {
			t.Helper()
			dir, at := t.TempDir(), harness.EmptyIndices(t)
			harness.ImportLines(t, dir, lines...)
			harness.Command(t, at, nil, "copy", "--from", dir)
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			askQuestions(t, corpus, harness.ServeAt(t, fill(t, linesOf(corpus))), questionsPerCheck(t)[name])
		})
	}
}

func filled(t *testing.T, at harness.Place, lines []string) harness.Place {
	t.Helper()
	harness.ImportLinesInto(t, at, lines...)
	return at
}

// linesOf are the corpus' sessions, with its companies below the overseer.
func linesOf(corpus *searchtest.Corpus) []string {
	lines := []string{harness.CompanyLine(overseer, 0)}
	for _, id := range corpus.Companies() {
		lines = append(lines, harness.CompanyLine(int(id), overseer))
	}
	for _, doc := range corpus.Documents {
		lines = append(lines, fmt.Sprintf(`{"type": "session", "doc": %s}`, doc.JSON()))
	}
	return lines
}

// askQuestions asks so many questions in each check.
func askQuestions(t *testing.T, corpus *searchtest.Corpus, g *harness.Gateway, perCheck int) {
	t.Helper()
	token := g.Supervisor(t, overseer)
	rapid.Check(t, func(rt *rapid.T) {
		for asked := 0; asked < perCheck; {
			q := corpus.Draw(rt)
			if !askable(q) {
				continue
			}
			asked++
			want, err := corpus.Answer(q)
			if err != nil {
				rt.Fatal(err)
			}
			parameters := parametersOf(q)
			selectBy(rapid.SampledFrom(selections()).Draw(rt, "selection"), parameters, q.Companies, corpus.Companies())
			if diff := compareReply(put(t, g, parameters, rapid.Bool().Draw(rt, "by body"), token), want); diff != "" {
				rt.Fatalf("%v:\n%s", q, diff)
			}
		}
	})
}

// askable tells questions that HTTP can put: an empty text, an empty range and a
// negative time are refused there.
func askable(q searchtest.Question) bool {
	f := q.Query.Filter
	for _, list := range [][]string{f.Status, f.OperatorIDs, f.Tags, f.StatusNot, f.OperatorIDsNot, f.TagsNot} {
		if slices.Contains(list, "") {
			return false
		}
	}
	if f.TimerFirstAnswerMin != nil && *f.TimerFirstAnswerMin < 0 {
		return false
	}
	return f.To.IsZero() || !f.From.After(f.To)
}

// selections are the ways to select some of the companies below the overseer.
func selections() []string {
	return []string{"companies", "branches", "both", "exceptions", "excepted branches"}
}

// selectBy makes the parameters select the companies in another way than by
// companyIds. No company of a corpus has others below it.
func selectBy(way string, parameters map[string]any, selected, all []tenancy.CompanyID) {
	others := slices.DeleteFunc(slices.Clone(all), func(id tenancy.CompanyID) bool { return slices.Contains(selected, id) })
	except := map[string]string{"exceptions": "exceptCompanyIds", "excepted branches": "exceptBranchIds"}[way]
	switch {
	case way == "branches":
		delete(parameters, "companyIds")
		parameters["branchIds"] = selected
	case way == "both" && len(selected) > 1:
		parameters["companyIds"], parameters["branchIds"] = selected[1:], selected[:1]
	case except != "":
		delete(parameters, "companyIds")
		parameters["showAllSupervised"] = true
		if len(others) > 0 {
			parameters[except] = others
		}
	}
}

// put asks the question, by URL or by body.
func put(t *testing.T, g *harness.Gateway, parameters map[string]any, byBody bool, token string) harness.Reply {
	t.Helper()
	if byBody {
		return g.Post(t, "/api/v1/sessions/search", token, parameters)
	}
	values := url.Values{}
	for name, value := range parameters {
		if list, ok := value.([]string); ok {
			values.Set(name, strings.Join(list, ","))
			continue
		}
		if ids, ok := value.([]tenancy.CompanyID); ok {
			values.Set(name, strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]"))
			continue
		}
		values.Set(name, fmt.Sprint(value))
	}
	return g.Get(t, "/api/v1/sessions?"+values.Encode(), token)
}

// parametersOf writes the question as a body would have it.
func parametersOf(q searchtest.Question) map[string]any {
	f := q.Query.Filter
	parameters := map[string]any{
		"companyIds": q.Companies, "limit": q.Query.Limit, "offset": q.Query.Offset,
		"fields": q.Query.Fields.Names(), "sort": sortNames(q.Query.Sort),
	}
	texts := map[string]string{
		"keyword": q.Keyword, "sessionId": f.SessionID, "chatId": f.ChatID, "clientId": f.ClientID,
		"botStatus": f.BotStatus, "name": f.Name, "dateField": string(f.DateField), "from": dateOf(f.From), "to": dateOf(f.To),
	}
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	lists := map[string][]string{
		"messengerType": f.MessengerTypes, "status": f.Status, "operatorId": f.OperatorIDs, "tags": f.Tags,
		"messengerTypeNot": f.MessengerTypesNot, "statusNot": f.StatusNot, "operatorIdNot": f.OperatorIDsNot, "tagsNot": f.TagsNot,
		"operatorType": f.OperatorTypes,
	}
	maps.DeleteFunc(lists, func(_ string, list []string) bool { return len(list) == 0 })
	for name, text := range texts {
		parameters[name] = text
	}
	for name, list := range lists {
		parameters[name] = list
	}
	for name, flag := range map[string]*bool{
		"markedAsSpam": f.MarkedAsSpam, "clientBanned": f.ClientBanned, "closed": f.Closed,
		"isLostSession": f.IsLostSession, "hasUnread": f.HasUnread,
	} {
		if flag != nil {
			parameters[name] = *flag
		}
	}
	for name, bound := range map[string]*float64{
		"ratingMin": f.RatingMin, "ratingMax": f.RatingMax, "npsMin": f.NPSMin, "npsMax": f.NPSMax,
		"timerFirstAnswerMin": f.TimerFirstAnswerMin,
	} {
		if bound != nil {
			parameters[name] = *bound
		}
	}
	if f.MinMessageCount > 0 {
		parameters["minMessageCount"] = f.MinMessageCount
	}
	if f.OnlyClientMessages {
		parameters["onlyClientMessages"] = true
	}
	if q.Query.NewestOfClient {
		parameters["groupByClientId"] = true
	}
	return parameters
}

func dateOf(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(session.DateLayout)
}

func sortNames(keys []search.SortKey) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		_, field, _ := session.FieldByName(key.Field)
		names[i] = field.SortName
		if key.Desc {
			names[i] = "-" + names[i]
		}
	}
	return names
}

// compareReply tells how the reply is not the answer; "" if it is.
func compareReply(r harness.Reply, want searchtest.Answer) string {
	if r.Status != http.StatusOK {
		return "status " + strconv.Itoa(r.Status) + ": " + string(r.Body)
	}
	var got struct {
		Count int64                        `json:"count"`
		Items []map[string]json.RawMessage `json:"items"`
	}
	if err := json.NewDecoder(bytes.NewReader(r.Body)).Decode(&got); err != nil {
		return err.Error()
	}
	if got.Count != want.Total {
		return fmt.Sprintf("count %d, want %d", got.Count, want.Total)
	}
	if more := r.Next() != ""; more != want.More {
		return fmt.Sprintf("a next page: %t, want %t", more, want.More)
	}
	if len(got.Items) == 0 && len(want.Items) == 0 {
		return ""
	}
	return cmp.Diff(want.Items, got.Items, cmp.Transformer("text", func(raw json.RawMessage) string { return string(raw) }))
}
