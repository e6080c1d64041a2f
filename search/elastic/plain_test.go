package elastic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy/tenancytest"
)

// Other producers leave messageCount out, or write a wrong sum. Filters, orders,
// positions, counts and rows use the computed sum.
func TestMessagesOfPlainDocumentsAreSummedByTheIndex(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 3)
	s.limits.window, s.limits.anchorEvery = 3, 1 // deep pages too
	var docs []plainDocument
	var up []string
	const sessions = 12
	for n := range sessions {
		given := values{"clientMessageCount": n, "botMessageCount": 1}
		switch n % 3 {
		case 1:
			given["messageCount"] = 1000 - n
		case 2:
			given["clientMessageCount"], given["operatorMessageCount"] = []any{float64(n - 1)}, 1
		}
		id := fmt.Sprintf("s%02d", n)
		docs, up = append(docs, plain(t, id, 7, given)), append(up, id)
	}
	// Complete except for the sum: it must not be returned as it is.
	imported := newSession(t, "s99", 7, values{"clientMessageCount": 98})
	docs = append(docs, plainDocument{"s99", replaced(t, string(imported.JSON()), `"messageCount":98`, `"messageCount":5`)})
	up = append(up, "s99")
	mustWritePlain(t, s, docs...)

	down := slices.Clone(up)
	slices.Reverse(down)
	for _, desc := range []bool{false, true} {
		want := up
		if desc {
			want = down
		}
		q := everything()
		q.Sort = []search.SortKey{{Field: "messageCount", Desc: desc}}
		for limit := 1; limit <= 4; limit++ {
			q.Limit = limit
			if diff := cmp.Diff(want, walked(t, s, q, 7)); diff != "" {
				t.Errorf("descending %t, pages of %d (-want +got):\n%s", desc, limit, diff)
			}
		}
		for offset := range want { // twice: the second time there are anchors
			q.Offset, q.Limit = offset, 1
			for range 2 {
				result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
				if err != nil || ids(t, result.Page)[0] != want[offset] {
					t.Errorf("descending %t, offset %d: %v, error %v, want %s", desc, offset, ids(t, result.Page), err, want[offset])
				}
			}
		}
	}
	for _, least := range []int64{1, 2, 7, 12, 13, 98, 99} {
		q := everything()
		q.Filter.MinMessageCount = least
		want := 0
		for n := range sessions {
			if int64(n)+1 >= least {
				want++
			}
		}
		if least <= 98 {
			want++
		}
		result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
		if err != nil || result.Count.Total != int64(want) {
			t.Errorf("at least %d messages: %d, error %v, want %d", least, result.Count.Total, err, want)
		}
		summary, err := s.Summarize(t.Context(), tenancytest.Scope(t, 7), search.SummaryQuery{Filter: q.Filter})
		if err != nil || summary.Count != int64(want) {
			t.Errorf("summary of at least %d messages: %d, error %v, want %d", least, summary.Count, err, want)
		}
	}
	for _, row := range exported(t, s, whole(), 7) {
		item := itemOf(t, row)
		n, err := strconv.Atoi(item["id"].(string)[1:])
		if err != nil {
			t.Fatal(err)
		}
		if want := float64(min(n+1, 98)); item["messageCount"] != want {
			t.Errorf("%s has messageCount %v, want %v", item["id"], item["messageCount"], want)
		}
	}
}

func TestTheTwoZerosOfARatingAreOneInEveryOrder(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 3)
	s.limits.window, s.limits.anchorEvery = 3, 1
	write(t, s,
		newSession(t, "a", 7, values{"rating": json.Number("0.0")}), newSession(t, "b", 7, values{"rating": json.Number("-0.0")}),
		newSession(t, "c", 7, values{"rating": json.Number("-1e-400")}), newSession(t, "d", 7, values{"rating": 1}), newSession(t, "e", 7, nil))
	mustWritePlain(t, s,
		plainDocument{"f", `{"id":"f","companyId":7,"rating":0}`}, plainDocument{"g", `{"id":"g","companyId":7,"rating":-0.0}`},
		plainDocument{"h", `{"id":"h","companyId":7,"rating":[-0e0]}`}, plainDocument{"i", `{"id":"i","companyId":7,"rating":-1}`})
	for _, order := range []struct {
		keys []search.SortKey
		want []string
	}{
		{[]search.SortKey{{Field: "rating"}}, strings.Fields("i a b c f g h d e")},
		{[]search.SortKey{{Field: "rating", Desc: true}}, strings.Fields("d a b c f g h i e")},
		{[]search.SortKey{{Field: "rating"}, {Field: "id", Desc: true}}, strings.Fields("i h g f c b a d e")},
		{[]search.SortKey{{Field: "rating", Desc: true}, {Field: "id", Desc: true}}, strings.Fields("d h g f c b a i e")},
	} {
		q := everything()
		q.Sort = order.keys
		for limit := 1; limit <= len(order.want); limit++ {
			q.Limit = limit
			if diff := cmp.Diff(order.want, walked(t, s, q, 7)); diff != "" {
				t.Errorf("%v, pages of %d (-want +got):\n%s", order.keys, limit, diff)
			}
		}
		for offset := range order.want {
			q.Offset, q.Limit = offset, 1
			for range 2 {
				result, err := s.Search(t.Context(), tenancytest.Scope(t, 7), q)
				if err != nil || ids(t, result.Page)[0] != order.want[offset] {
					t.Errorf("%v, offset %d: %v, error %v, want %s", order.keys, offset, ids(t, result.Page), err, order.want[offset])
				}
			}
		}
		q.Offset, q.Limit = 0, 0
		if diff := cmp.Diff(order.want, idsOf(t, exported(t, s, q, 7))); diff != "" {
			t.Errorf("%v, exported (-want +got):\n%s", order.keys, diff)
		}
	}
}

// Elasticsearch skips shards that seem to have no row for the page.
func TestShardsWithoutAnyDateLoseNoRows(t *testing.T) {
	t.Parallel()
	s := openSessions(t, conformanceShards)
	docs := []session.Document{newSession(t, "s00", 7, values{
		"createdAt": "2024-05-01T10:00:00Z", "updatedAt": "2024-05-01T10:00:00Z", "startedAt": "2024-05-01T10:00:00Z",
		"closedAt": "2024-05-01T10:00:00Z", "lastMessageCreatedAt": "2024-05-01T10:00:00Z", "rating": 1, "name": "n", "clientMessageCount": 1,
	})}
	want := []string{"s00"}
	for n := 1; n < 21; n++ {
		id := fmt.Sprintf("s%02d", n)
		docs, want = append(docs, newSession(t, id, 7, nil)), append(want, id)
	}
	write(t, s, docs...)
	for _, field := range session.Fields() {
		for _, desc := range []bool{false, true} {
			if field.SortName == "" {
				continue
			}
			q := everything()
			q.Sort, q.Limit = []search.SortKey{{Field: field.Name, Desc: desc}}, 4
			got := walked(t, s, q, 7)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("by %s, descending %t (-want +got):\n%s", field.Name, desc, diff)
			}
		}
	}
}

func TestTextOfAMillionCharactersIsIndexed(t *testing.T) {
	t.Parallel()
	s := openSessions(t, 1)
	const most = 1_040_000 // about the largest document
	long := strings.Repeat("x", most)
	write(t, s, newSession(t, "a", 7, values{"status": long}), newSession(t, "b", 7, values{"tags": strings.Repeat("😀", most/4)}))
	mustWritePlain(t, s, plain(t, "c", 7, values{"operatorName": long + long}))
	putPlain(t, s, plainDocument{"d", `{"id":"d","companyId":7,"status":"` + long + `\ud83d"}`}, "?refresh=true")
	if got := idsOf(t, exported(t, s, whole(), 7)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
}
