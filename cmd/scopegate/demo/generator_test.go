package demo

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

var testNow = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// generated are the first of the demo's sessions. What is there among them is
// there among all: more sessions begin with the same ones.
func generated(t *testing.T) []session.Document {
	t.Helper()
	const first = 10_000
	docs := make([]session.Document, 0, first)
	for change, err := range NewGenerator(DefaultSeed, testNow).Sessions(0, first) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, change.Session)
	}
	return docs
}

func TestTheDemoDataIsWhatItPromises(t *testing.T) {
	docs := generated(t)
	t.Run("ids are unique", func(t *testing.T) { checkIDs(t, docs) })
	t.Run("every company has sessions, and every account's own at least 20", func(t *testing.T) { checkCompanies(t, docs) })
	t.Run("every filter matches some but not all", func(t *testing.T) { checkFilters(t, docs) })
	t.Run("every field has a value somewhere", func(t *testing.T) { checkFields(t, docs) })
	t.Run("one in ten carries the billing fields, all of them or none", func(t *testing.T) { checkBilling(t, docs) })
	t.Run("dates run up to now, the closer the denser", func(t *testing.T) { checkDates(t, docs) })
	t.Run("names are of many scripts", func(t *testing.T) { checkScripts(t, docs) })
	t.Run("phones are written in several ways", func(t *testing.T) { checkPhones(t, docs) })
	t.Run("some clients come back, in one company and under one name", func(t *testing.T) { checkClients(t, docs) })
	t.Run("counts add up", func(t *testing.T) { checkCounts(t, docs) })
}

func checkIDs(t *testing.T, docs []session.Document) {
	t.Helper()
	seen := make(map[string]bool, len(docs))
	for _, doc := range docs {
		if seen[doc.ID()] {
			t.Fatalf("id %s comes twice", doc.ID())
		}
		seen[doc.ID()] = true
	}
}

func checkCompanies(t *testing.T, docs []session.Document) {
	t.Helper()
	count := make(map[tenancy.CompanyID]int)
	names := make(map[tenancy.CompanyID]string)
	for _, c := range layOut() {
		names[c.ID] = c.Name
	}
	for _, doc := range docs {
		count[doc.CompanyID()]++
		if name, _ := doc.Text("companyName"); name != names[doc.CompanyID()] {
			t.Fatalf("session %s: company %d is called %q, want %q", doc.ID(), doc.CompanyID(), name, names[doc.CompanyID()])
		}
	}
	if len(count) != companyCount {
		t.Errorf("%d companies have sessions, want %d", len(count), companyCount)
	}
	for _, a := range Accounts() {
		if count[a.CompanyID] < 20 {
			t.Errorf("%s: own company has %d sessions, want at least 20", a.Email, count[a.CompanyID])
		}
	}
}

// condition is one filter of the contract with one value.
type condition struct {
	name  string
	match func(session.Document) bool
}

func textIs(field, want string) condition {
	return condition{field + "=" + want, func(d session.Document) bool {
		value, ok := d.Text(field)
		return ok && value == want
	}}
}

func textIsNull(field string) condition {
	return condition{field + " null", func(d session.Document) bool {
		_, ok := d.Text(field)
		return !ok
	}}
}

// flagIs takes null for "no value".
func flagIs(field, want string) condition {
	return condition{field + " " + want, func(d session.Document) bool {
		value, ok := d.Boolean(field)
		return want == "null" && !ok || ok && want == map[bool]string{true: "true", false: "false"}[value]
	}}
}

func integer(d session.Document, field string) int64 {
	value, _ := d.Integer(field)
	return value
}

func conditions(sample session.Document) []condition {
	var list []condition
	for _, messenger := range session.MessengerTypes() {
		list = append(list, textIs("messengerType", messenger))
	}
	for _, operatorType := range session.OperatorTypes() {
		list = append(list, textIs("operatorType", operatorType))
	}
	for _, status := range []string{"NEW", "WAITING", "ACTIVE", "CLOSED", "REOPENED"} {
		list = append(list, textIs("status", status))
	}
	for _, status := range []string{"ACTIVE", "PAUSED", "FINISHED"} {
		list = append(list, textIs("botStatus", status))
	}
	for _, field := range []string{"chatId", "name", "operatorId", "clientId", "id"} {
		value, _ := sample.Text(field)
		list = append(list, textIs(field, value))
	}
	for _, field := range []string{"operatorType", "botStatus", "operatorId", "clientId", "name", "whatsappPhone", "telegramClientId", "tags"} {
		list = append(list, textIsNull(field))
	}
	for _, field := range []string{"markedAsSpam", "clientBanned"} {
		list = append(list, flagIs(field, "true"), flagIs(field, "false"), flagIs(field, "null"))
	}
	return append(list, []condition{
		{"tag refund", func(d session.Document) bool { return slices.Contains(d.Tags(), "refund") }},
		{"several tags", func(d session.Document) bool { return len(d.Tags()) > 1 }},
		{"minMessageCount=20", func(d session.Document) bool { return integer(d, "messageCount") >= 20 }},
		{"no message", func(d session.Document) bool { return integer(d, "messageCount") == 0 }},
		{"onlyClientMessages", func(d session.Document) bool {
			return integer(d, "clientMessageCount") > 0 && integer(d, "operatorMessageCount")+integer(d, "botMessageCount") == 0
		}},
		{"updatedAt other than createdAt", func(d session.Document) bool {
			return integer(d, "updatedAt") != integer(d, "createdAt")
		}},
		{"created over a month ago, updated within", func(d session.Document) bool {
			month := testNow.AddDate(0, -1, 0).UnixMilli()
			return integer(d, "createdAt") < month && integer(d, "updatedAt") >= month
		}},
		{"not closed", func(d session.Document) bool { return integer(d, "closedAt") == 0 }},
	}...)
}

func checkFilters(t *testing.T, docs []session.Document) {
	t.Helper()
	sample := docs[slices.IndexFunc(docs, func(d session.Document) bool {
		_, named := d.Text("name")
		_, served := d.Text("operatorId")
		_, known := d.Text("clientId")
		return named && served && known
	})]
	for _, c := range conditions(sample) {
		matches := 0
		for _, doc := range docs {
			if c.match(doc) {
				matches++
			}
		}
		if matches == 0 || matches == len(docs) {
			t.Errorf("%s matches %d of %d", c.name, matches, len(docs))
		}
	}
}

func checkFields(t *testing.T, docs []session.Document) {
	t.Helper()
	seen := make(map[string]bool)
	for _, doc := range docs[:2000] {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(doc.JSON(), &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			seen[name] = seen[name] || string(value) != "null"
		}
	}
	for _, field := range session.Fields() {
		if !seen[field.Name] {
			t.Errorf("%s is null in every session", field.Name)
		}
	}
}

func checkBilling(t *testing.T, docs []session.Document) {
	t.Helper()
	paid := 0
	for i, doc := range docs {
		_, date := doc.Integer("transactionDate")
		_, amount := doc.Number("amount")
		set := []bool{date, amount}
		for _, field := range []string{"personalAccountId", "purpose", "externalId", "payerNameFromTransaction"} {
			_, ok := doc.Text(field)
			set = append(set, ok)
		}
		if len(slices.Compact(set)) != 1 {
			t.Fatalf("session %d has some of the billing fields: %v", i, set)
		}
		if date {
			paid++
		}
	}
	if paid != len(docs)/10 {
		t.Errorf("%d of %d carry the billing fields, want one in ten", paid, len(docs))
	}
}

func checkDates(t *testing.T, docs []session.Document) {
	t.Helper()
	now, oldest := testNow.UnixMilli(), testNow.Add(-span).UnixMilli()
	var dates []string
	for _, field := range session.Fields() {
		if field.Type == session.TypeDate {
			dates = append(dates, field.Name)
		}
	}
	var lastWeek, yearAgoWeek int
	for _, doc := range docs {
		for _, name := range dates {
			if value, ok := doc.Integer(name); ok && (value < oldest || value > now) {
				t.Fatalf("session %s: %s is %s", doc.ID(), name, time.UnixMilli(value).UTC())
			}
		}
		created := integer(doc, "createdAt")
		if integer(doc, "updatedAt") < created || integer(doc, "startedAt") < created {
			t.Fatalf("session %s was updated or started before it was created", doc.ID())
		}
		switch days := (now - created) / (24 * 3600 * 1000); {
		case days < 7:
			lastWeek++
		case days >= 365 && days < 372:
			yearAgoWeek++
		}
	}
	if yearAgoWeek == 0 || lastWeek < 5*yearAgoWeek {
		t.Errorf("%d sessions in the last week, %d in a week a year ago", lastWeek, yearAgoWeek)
	}
}

func checkScripts(t *testing.T, docs []session.Document) {
	t.Helper()
	want := map[string]func(string) bool{
		"ё":          func(s string) bool { return strings.ContainsAny(s, "ёЁ") },
		"й":          func(s string) bool { return strings.ContainsAny(s, "йЙ") },
		"ß":          func(s string) bool { return strings.Contains(s, "ß") },
		"ø":          func(s string) bool { return strings.ContainsAny(s, "øØ") },
		"æ":          func(s string) bool { return strings.ContainsAny(s, "æÆ") },
		"ı":          func(s string) bool { return strings.ContainsAny(s, "ıİ") },
		"decomposed": func(s string) bool { return !norm.NFC.IsNormalString(s) },
		"composed":   func(s string) bool { return !norm.NFD.IsNormalString(s) },
		"emoji":      func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x1F300 }) },
	}
	for name, table := range map[string]*unicode.RangeTable{
		"Greek": unicode.Greek, "Han": unicode.Han, "Hiragana": unicode.Hiragana, "Hangul": unicode.Hangul, "Hebrew": unicode.Hebrew,
		"Arabic": unicode.Arabic, "Georgian": unicode.Georgian, "Armenian": unicode.Armenian,
		"Cyrillic": unicode.Cyrillic, "Latin": unicode.Latin,
	} {
		want[name] = func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(table, r) }) }
	}
	for name, has := range want {
		matches := 0
		for _, doc := range docs {
			if text, _ := doc.Text("name"); has(text) {
				matches++
			}
		}
		if matches < 20 || matches == len(docs) {
			t.Errorf("%s: %d of %d names", name, matches, len(docs))
		}
	}
}

func checkPhones(t *testing.T, docs []session.Document) {
	t.Helper()
	shapes := make(map[string]int)
	for _, doc := range docs {
		phone, ok := doc.Text("whatsappPhone")
		if !ok {
			continue
		}
		if n := len(keyword.PhoneDigits(phone)); n < 8 || n > 16 {
			t.Fatalf("%q has %d digits", phone, n)
		}
		shape := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, phone)
		shapes[shape]++
	}
	for _, shape := range []string{"", "+", "+   ", "+ () --", "----", " () --", "+....", "+\u00a0\u2011\u2011\u2011", " "} {
		if shapes[shape] == 0 {
			t.Errorf("no phone is written with %q around its digits: %v", shape, shapes)
		}
	}
}

func checkClients(t *testing.T, docs []session.Document) {
	t.Helper()
	type identity struct {
		company tenancy.CompanyID
		name    string
	}
	clients, again := make(map[string]identity), 0
	for _, doc := range docs {
		id, ok := doc.Text("clientId")
		if !ok {
			continue
		}
		name, _ := doc.Text("name")
		now := identity{doc.CompanyID(), name}
		before, known := clients[id]
		if known && before != now {
			t.Fatalf("client %s is %v and %v", id, before, now)
		}
		if known {
			again++
		}
		clients[id] = now
	}
	if again < len(docs)/10 || len(clients) < len(docs)/10 {
		t.Errorf("%d clients, %d sessions of clients who came back", len(clients), again)
	}
}

func checkCounts(t *testing.T, docs []session.Document) {
	t.Helper()
	for _, doc := range docs {
		sum := integer(doc, "clientMessageCount") + integer(doc, "operatorMessageCount") + integer(doc, "botMessageCount")
		if sum != integer(doc, "messageCount") {
			t.Fatalf("session %s: messageCount is %d, want %d", doc.ID(), integer(doc, "messageCount"), sum)
		}
	}
}

func TestASessionIsWrittenInWireForm(t *testing.T) {
	g := NewGenerator(DefaultSeed, testNow)
	for i := range 1000 {
		raw := g.Session(i)
		doc, err := session.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(doc.JSON()), string(raw)); diff != "" {
			t.Fatalf("session %d is not in wire form (-wire +generated):\n%s", i, diff)
		}
	}
}

func TestASessionDependsOnSeedNumberAndNowAlone(t *testing.T) {
	inOrder, alone := NewGenerator(7, testNow), NewGenerator(7, testNow)
	for i := range 500 {
		inOrder.Session(i)
	}
	if diff := cmp.Diff(string(inOrder.Session(500)), string(alone.Session(500))); diff != "" {
		t.Errorf("session 500 differs when those before it are not made:\n%s", diff)
	}
	if NewGenerator(8, testNow).SessionID(500) == alone.SessionID(500) {
		t.Error("another seed gives the same id")
	}
}

func TestALaterNowMovesTheDatesAndNothingElse(t *testing.T) {
	const later = 36 * time.Hour
	before, after := NewGenerator(DefaultSeed, testNow), NewGenerator(DefaultSeed, testNow.Add(later))
	for i := range 500 {
		a, b := mustParse(t, before.Session(i)), mustParse(t, after.Session(i))
		for _, field := range session.Fields() {
			switch field.Type {
			case session.TypeDate:
				x, ok := a.Integer(field.Name)
				y, _ := b.Integer(field.Name)
				if ok && y-x != later.Milliseconds() {
					t.Fatalf("session %d: %s moved by %d ms", i, field.Name, y-x)
				}
			case session.TypeString:
				x, _ := a.Text(field.Name)
				y, _ := b.Text(field.Name)
				if x != y {
					t.Fatalf("session %d: %s is %q, later %q", i, field.Name, x, y)
				}
			}
		}
	}
}

func mustParse(t *testing.T, raw []byte) session.Document {
	t.Helper()
	doc, err := session.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func BenchmarkSession(b *testing.B) {
	g := NewGenerator(DefaultSeed, testNow)
	for i := 0; b.Loop(); i++ {
		g.Session(i)
	}
}
