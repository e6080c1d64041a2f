package searchtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

const pairRows = 60

// pairPrefix begins the names of the cases of two parameters.
const pairPrefix = "pair/"

// pairFixture has values that vary independently of one another. The first session
// matches every parameter, so that any two parameters have a match in common.
func pairFixture() []spec {
	var specs []spec
	for i := range pairRows {
		v := values{
			"chatId": pick(i, 2, "chat", "talk"), "messengerType": pick(i, 3, "WEB", "SMS", "VIBER"),
			"clientMessageCount": 5 - i%5, "status": pick(i/2, 3, "OPEN", "CLOSED", nil), "botStatus": pick(i/3, 2, "ON", "OFF"),
			"operatorId": pick(i/4, 3, "op-1", "op-2", nil), "name": pick(i/5, 2, "Pia Paar", "Pio Paar"),
			"tags": pick(i/7, 4, "red, blue", "blue", nil, "black"), "markedAsSpam": pick(i/2, 3, nil, true, false),
			"clientBanned": pick(i/3, 3, false, true, nil), "operatorType": pick(i/6, 3, nil, "BOT", "NONE"),
			"createdAt": at((i*7 + 30) % pairRows), "updatedAt": at((i*11 + 30) % pairRows), "clientId": fmt.Sprintf("pc-%d", i%4),
			"whatsappPhone": fmt.Sprintf("+1 555 01%02d", i%20), "startedAt": at(25 + i%9),
			"closedAt": pick(i/8, 2, at(25+i%30), nil), "lastMessageCreatedAt": at(25 + i*13%30), "rating": pick(i/9, 4, 3.5, 5.0, nil, 1.0),
			"isLostSession": pick(i/5, 3, true, nil, false), "unreadClientMessageCount": pick(i/6, 3, 2, 0, nil),
			"nps": pick(i/8, 4, 9, 10, nil, 3), "timerFirstAnswer": pick(i/10, 3, 60, nil, 5),
		}
		if i%4 == 3 {
			v["operatorMessageCount"] = 2
		}
		company := pairCo
		if i%3 == 1 {
			company = pairCo + 1000
		}
		specs = append(specs, spec{fmt.Sprintf("pr%02d", i), company, v})
	}
	return specs
}

func pick(i, n int, list ...any) any { return list[i%n] }

// parameter is one parameter of a query, with a value that has an effect.
type parameter struct {
	name    string
	narrows bool // matches some sessions, not all
	set     func(*ask)
}

func parameters() []parameter {
	yes, no, three, four, seven, nine := true, false, 3.0, 4.0, 7.5, 9.0
	narrowing := func(name string, set func(f *search.Filter)) parameter {
		return parameter{name, true, func(a *ask) { set(&a.query.Filter) }}
	}
	return []parameter{
		narrowing("from", func(f *search.Filter) { f.From = moment(20) }),
		narrowing("to", func(f *search.Filter) { f.To = moment(50) }),
		narrowing("dateField", func(f *search.Filter) { f.DateField, f.To = search.UpdatedAt, moment(33) }),
		narrowing("dateField startedAt", func(f *search.Filter) { f.DateField, f.To = search.StartedAt, moment(28) }),
		narrowing("dateField closedAt", func(f *search.Filter) { f.DateField, f.To = search.ClosedAt, moment(40) }),
		narrowing("dateField lastMessageCreatedAt", func(f *search.Filter) { f.DateField, f.To = search.LastMessageCreatedAt, moment(35) }),
		narrowing("sessionId", func(f *search.Filter) { f.SessionID = "pr00" }),
		narrowing("chatId", func(f *search.Filter) { f.ChatID = "chat" }),
		narrowing("messengerType", func(f *search.Filter) { f.MessengerTypes = []string{"WEB", "SMS"} }),
		narrowing("messengerTypeNot", func(f *search.Filter) { f.MessengerTypesNot = []string{"VIBER", "EMAIL"} }),
		narrowing("minMessageCount", func(f *search.Filter) { f.MinMessageCount = 3 }),
		narrowing("onlyClientMessages", func(f *search.Filter) { f.OnlyClientMessages = true }),
		narrowing("operatorType", func(f *search.Filter) { f.OperatorTypes = []string{"NONE", "OPERATOR"} }),
		narrowing("status", func(f *search.Filter) { f.Status = []string{"OPEN", "LOST"} }),
		narrowing("statusNot", func(f *search.Filter) { f.StatusNot = []string{"CLOSED"} }),
		narrowing("botStatus", func(f *search.Filter) { f.BotStatus = "ON" }),
		narrowing("operatorId", func(f *search.Filter) { f.OperatorIDs = []string{"op-1"} }),
		narrowing("operatorIdNot", func(f *search.Filter) { f.OperatorIDsNot = []string{"op-2", "op-3"} }),
		narrowing("name", func(f *search.Filter) { f.Name = "Pia Paar" }),
		narrowing("tags", func(f *search.Filter) { f.Tags = []string{"red", "green"} }),
		narrowing("tagsNot", func(f *search.Filter) { f.TagsNot = []string{"black", "green"} }),
		narrowing("markedAsSpam", func(f *search.Filter) { f.MarkedAsSpam = &no }),
		narrowing("clientBanned", func(f *search.Filter) { f.ClientBanned = &no }),
		narrowing("closed", func(f *search.Filter) { f.Closed = &yes }),
		narrowing("isLostSession", func(f *search.Filter) { f.IsLostSession = &yes }),
		narrowing("hasUnread", func(f *search.Filter) { f.HasUnread = &yes }),
		narrowing("clientId", func(f *search.Filter) { f.ClientID = "pc-0" }),
		narrowing("npsMin", func(f *search.Filter) { f.NPSMin = &seven }),
		narrowing("npsMax", func(f *search.Filter) { f.NPSMax = &nine }),
		narrowing("timerFirstAnswerMin", func(f *search.Filter) { f.TimerFirstAnswerMin = &nine }),
		narrowing("ratingMin", func(f *search.Filter) { f.RatingMin = &three }),
		narrowing("ratingMax", func(f *search.Filter) { f.RatingMax = &four }),
		{"keyword", true, func(a *ask) { a.keyword = "pia pc" }},
		{"short keyword", true, func(a *ask) { a.keyword = "-0" }},
		{"phone", true, func(a *ask) { a.keyword = "(555) 010" }},
		{"company", true, func(a *ask) { a.companies = []tenancy.CompanyID{pairCo} }},
		{"groupByClientId", true, func(a *ask) { a.query.NewestOfClient = true }},
		{"sort", false, func(a *ask) { a.query.Sort = sortBy("-status", "startedAt") }},
		{"fields", false, func(a *ask) { a.query.Fields = fieldsOf("id", "tags") }},
		{"limit", false, func(a *ask) { a.query.Limit = 2 }},
		{"offset", false, func(a *ask) { a.query.Offset = 1 }},
		{"withoutCount", false, func(a *ask) { a.query.WithoutCount = true }},
		{"withoutItems", false, func(a *ask) { a.query.WithoutItems = true }},
		{"after", false, func(a *ask) { a.query.After = behindSome(a) }},
	}
}

// behindSome returns a position that fits the order of the query.
func behindSome(a *ask) *search.Position {
	if a.query.Sort[0].Field == "id" {
		return writePosition("pr05")
	}
	return writePosition("open")
}

// pairChecks search with each parameter alone and with every two of them.
func pairChecks() []check {
	var all []check
	for i, p := range parameters() {
		all = append(all, check{"alone/" + p.name, paired(p)})
		for _, other := range parameters()[i+1:] {
			all = append(all, check{pairPrefix + p.name + " and " + other.name, paired(p, other)})
		}
	}
	return all
}

func paired(set ...parameter) func(context.Context, *env) error {
	a := everything(pairCo, pairCo+1000)
	for _, p := range set {
		p.set(&a)
	}
	return func(ctx context.Context, e *env) error {
		_, naive, err := e.agree(ctx, a)
		if err != nil {
			return err
		}
		narrows := slices.ContainsFunc(set, func(p parameter) bool { return p.narrows })
		if narrows && (naive.total == 0 || naive.total == pairRows) {
			return fmt.Errorf("%v: matches %d of %d: the case shows nothing", a, naive.total, pairRows)
		}
		return nil
	}
}
