package searchtest

import (
	"context"
	"encoding/json"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// filterFixture has, for every filter, sessions that match, sessions that nearly
// match, and a session without any value.
func filterFixture() []spec {
	of := func(id string, v values) spec { return spec{id, filterCo, v} }
	return []spec{
		of("f01", values{"chatId": "chat-1", "messengerType": "WEB", "clientMessageCount": 3, "status": "OPEN",
			"name": "Anna Filter", "clientId": "client-1", "createdAt": at(1000), "updatedAt": at(9000), "rating": 4.5,
			"unreadClientMessageCount": 2, "nps": 9, "timerFirstAnswer": 30}),
		of("f02", values{"chatId": "chat-1", "messengerType": "WHATSAPP", "clientMessageCount": 1, "operatorMessageCount": 2,
			"operatorType": "OPERATOR", "status": "CLOSED", "botStatus": "ON", "operatorId": "op-1", "tags": "vip",
			"markedAsSpam": true, "clientBanned": false, "createdAt": at(2000), "updatedAt": at(8000), "name": "Anna",
			"closedAt": at(0), "rating": 0, "clientId": "Client-1", "isLostSession": true, "unreadClientMessageCount": 0, "nps": 10,
			"timerFirstAnswer": 60}),
		of("f03", values{"chatId": "chat-2", "messengerType": "TELEGRAM", "botMessageCount": 4, "operatorType": "BOT",
			"status": "OPEN", "botStatus": "OFF", "tags": " vip , urgent", "markedAsSpam": false, "clientBanned": true,
			"createdAt": at(3000), "name": "anna filter", "rating": -1,
			"clientId": "client-10", "isLostSession": false, "nps": 0, "timerFirstAnswer": 0}),
		of("f04", values{"chatId": "Chat-1", "messengerType": "TELEGRAM", "operatorType": "NONE", "status": "open",
			"botStatus": "on", "operatorId": "Op-1", "tags": "VIP,late", "createdAt": at(4000), "updatedAt": at(4000)}),
		of("f05", values{"chatId": "chat-3", "messengerType": "WEB", "clientMessageCount": 5, "operatorMessageCount": 1,
			"botMessageCount": 4, "operatorType": "OPERATOR", "status": "WAITING", "botStatus": "ON", "operatorId": "op-2",
			"tags": "vipper,not vip", "markedAsSpam": false, "createdAt": at(5000), "updatedAt": at(5000),
			"closedAt": at(7000), "rating": 10, "unreadClientMessageCount": 1, "nps": -1, "timerFirstAnswer": 61}),
		of("f06", nil),
		of("f07", values{"chatId": "chat-10", "messengerType": "OTHER", "clientMessageCount": 1, "botMessageCount": 1,
			"operatorType": "BOT", "status": "OPENED", "operatorId": "op-10", "tags": "x,,late , vip", "clientBanned": true,
			"rating": 4.500001, "clientId": "клиент", "isLostSession": true}),
		of("f08", values{"name": "Jos\u00e9", "status": "Закрыт", "chatId": "чат-1", "operatorId": "оператор",
			"tags": "срочно", "clientMessageCount": 2, "messengerType": "EMAIL", "rating": json.Number("-0.0")}),
		of("f09", values{"name": "Jose\u0301", "status": "Закрыт ", "chatId": "chat-1\u200b", "markedAsSpam": true,
			"tags": "срочно,", "clientMessageCount": 9, "closedAt": "1970-01-01T00:00:00.000Z"}),
		of("f10", values{"name": "100% _sure_ \"quoted\" it's", "status": "IN (PROGRESS)", "chatId": "a/b*?:c",
			"botStatus": "O%", "operatorId": "op_1", "tags": "50%, a_b ,it's", "clientMessageCount": 1}),
	}
}

// read is a case with one query: the filter or keyword, and the ids of the answer,
// ordered by id.
type read struct {
	name    string
	filter  search.Filter
	keyword string
	want    string
}

// reads runs each query on one company, by id, on one page.
func reads(topic string, company tenancy.CompanyID, rows []read) []check {
	var all []check
	for _, row := range rows {
		all = append(all, check{topic + "/" + row.name, func(ctx context.Context, e *env) error {
			return e.expect(ctx, everything(company).where(row.filter).find(row.keyword), row.want)
		}})
	}
	return all
}

func filterChecks() []check { return reads("filter", filterCo, filterReads()) }

func filterReads() []read {
	yes, no := true, false
	below, zero, four, middle, nine, beyond, minute := -0.5, 0.0, 4.0, 4.5, 9.0, 10.5, 60.0
	return []read{
		{name: "none matches every session of the scope", want: "f01 f02 f03 f04 f05 f06 f07 f08 f09 f10"},
		{name: "session id matches one", filter: search.Filter{SessionID: "f03"}, want: "f03"},
		{name: "session id is byte-exact", filter: search.Filter{SessionID: "F03"}},
		{name: "session id is no prefix", filter: search.Filter{SessionID: "f0"}},
		{name: "session id is no pattern", filter: search.Filter{SessionID: "f0%"}},
		{name: "chat id matches all its sessions", filter: search.Filter{ChatID: "chat-1"}, want: "f01 f02"},
		{name: "chat id is byte-exact", filter: search.Filter{ChatID: "Chat-1"}, want: "f04"},
		{name: "chat id in Cyrillic", filter: search.Filter{ChatID: "чат-1"}, want: "f08"},
		{name: "chat id keeps zero-width marks", filter: search.Filter{ChatID: "chat-1\u200b"}, want: "f09"},
		{name: "chat id with query syntax", filter: search.Filter{ChatID: "a/b*?:c"}, want: "f10"},
		{name: "chat id is no pattern", filter: search.Filter{ChatID: "chat*"}},
		{name: "bot status matches", filter: search.Filter{BotStatus: "ON"}, want: "f02 f05"},
		{name: "bot status is byte-exact", filter: search.Filter{BotStatus: "on"}, want: "f04"},
		{name: "bot status is no pattern", filter: search.Filter{BotStatus: "O%"}, want: "f10"},
		{name: "name matches whole", filter: search.Filter{Name: "Anna"}, want: "f02"},
		{name: "name is byte-exact in case", filter: search.Filter{Name: "Anna Filter"}, want: "f01"},
		{name: "name composed is not decomposed", filter: search.Filter{Name: "Jos\u00e9"}, want: "f08"},
		{name: "name decomposed is not composed", filter: search.Filter{Name: "Jose\u0301"}, want: "f09"},
		{name: "name with quotes and wildcards", filter: search.Filter{Name: "100% _sure_ \"quoted\" it's"}, want: "f10"},
		{name: "name is no SQL", filter: search.Filter{Name: "' OR '1'='1"}},
		{name: "spam true", filter: search.Filter{MarkedAsSpam: &yes}, want: "f02 f09"},
		{name: "spam false matches missing", filter: search.Filter{MarkedAsSpam: &no}, want: "f01 f03 f04 f05 f06 f07 f08 f10"},
		{name: "banned true", filter: search.Filter{ClientBanned: &yes}, want: "f03 f07"},
		{name: "banned false matches missing", filter: search.Filter{ClientBanned: &no}, want: "f01 f02 f04 f05 f06 f08 f09 f10"},
		{name: "spam and banned false", filter: search.Filter{MarkedAsSpam: &no, ClientBanned: &no}, want: "f01 f04 f05 f06 f08 f10"},
		{name: "operator type BOT", filter: search.Filter{OperatorTypes: []string{"BOT"}}, want: "f03 f07"},
		{name: "operator type OPERATOR", filter: search.Filter{OperatorTypes: []string{"OPERATOR"}}, want: "f02 f05"},
		{name: "operator type NONE matches missing", filter: search.Filter{OperatorTypes: []string{"NONE"}}, want: "f01 f04 f06 f08 f09 f10"},
		{name: "operator types BOT and OPERATOR", filter: search.Filter{OperatorTypes: []string{"BOT", "OPERATOR"}}, want: "f02 f03 f05 f07"},
		{name: "operator types NONE and BOT match missing", filter: search.Filter{OperatorTypes: []string{"BOT", "NONE"}},
			want: "f01 f03 f04 f06 f07 f08 f09 f10"},
		{name: "all operator types match every session", filter: search.Filter{OperatorTypes: session.OperatorTypes()},
			want: "f01 f02 f03 f04 f05 f06 f07 f08 f09 f10"},
		{name: "closed true", filter: search.Filter{Closed: &yes}, want: "f02 f05 f09"},
		{name: "closed false matches missing", filter: search.Filter{Closed: &no}, want: "f01 f03 f04 f06 f07 f08 f10"},
		{name: "client id matches", filter: search.Filter{ClientID: "client-1"}, want: "f01"},
		{name: "client id is byte-exact", filter: search.Filter{ClientID: "Client-1"}, want: "f02"},
		{name: "client id in Cyrillic", filter: search.Filter{ClientID: "клиент"}, want: "f07"},
		{name: "client id is no pattern", filter: search.Filter{ClientID: "client%"}},
		{name: "lost true", filter: search.Filter{IsLostSession: &yes}, want: "f02 f07"},
		{name: "lost false matches missing", filter: search.Filter{IsLostSession: &no}, want: "f01 f03 f04 f05 f06 f08 f09 f10"},
		{name: "unread true", filter: search.Filter{HasUnread: &yes}, want: "f01 f05"},
		{name: "unread false matches none and missing", filter: search.Filter{HasUnread: &no}, want: "f02 f03 f04 f06 f07 f08 f09 f10"},
		{name: "NPS at least is inclusive", filter: search.Filter{NPSMin: &nine}, want: "f01 f02"},
		{name: "NPS at least a fraction", filter: search.Filter{NPSMin: &below}, want: "f01 f02 f03"},
		{name: "NPS at most is inclusive", filter: search.Filter{NPSMax: &zero}, want: "f03 f05"},
		{name: "NPS at most a fraction", filter: search.Filter{NPSMax: &below}, want: "f05"},
		{name: "NPS between fractions without a whole number", filter: search.Filter{NPSMin: &middle, NPSMax: &middle}},
		{name: "first answer after is inclusive", filter: search.Filter{TimerFirstAnswerMin: &minute}, want: "f02 f05"},
		{name: "first answer after zero leaves out missing", filter: search.Filter{TimerFirstAnswerMin: &zero}, want: "f01 f02 f03 f05"},
		{name: "rating at least is inclusive", filter: search.Filter{RatingMin: &middle}, want: "f01 f05 f07"},
		{name: "rating at most is inclusive", filter: search.Filter{RatingMax: &middle}, want: "f01 f02 f03 f08"},
		{name: "rating between", filter: search.Filter{RatingMin: &four, RatingMax: &middle}, want: "f01"},
		{name: "rating at least zero matches both zeros, none missing", filter: search.Filter{RatingMin: &zero}, want: "f01 f02 f05 f07 f08"},
		{name: "rating at most zero matches both zeros, none missing", filter: search.Filter{RatingMax: &zero}, want: "f02 f03 f08"},
		{name: "rating below zero", filter: search.Filter{RatingMax: &below}, want: "f03"},
		{name: "rating above all", filter: search.Filter{RatingMin: &beyond}},
		{name: "message count 1", filter: search.Filter{MinMessageCount: 1}, want: "f01 f02 f03 f05 f07 f08 f09 f10"},
		{name: "message count is inclusive", filter: search.Filter{MinMessageCount: 3}, want: "f01 f02 f03 f05 f09"},
		{name: "message count sums all three", filter: search.Filter{MinMessageCount: 10}, want: "f05"},
		{name: "message count above all", filter: search.Filter{MinMessageCount: 11}},
		{name: "message count beyond 32 bits", filter: search.Filter{MinMessageCount: 1 << 40}},
		{name: "message count below zero is no condition", filter: search.Filter{MinMessageCount: -1},
			want: "f01 f02 f03 f04 f05 f06 f07 f08 f09 f10"},
		{name: "only client messages", filter: search.Filter{OnlyClientMessages: true}, want: "f01 f08 f09 f10"},
		{name: "several conditions all hold", filter: search.Filter{OnlyClientMessages: true, OperatorTypes: []string{"NONE"},
			MinMessageCount: 2, MarkedAsSpam: &no}, want: "f01 f08"},
		{name: "conditions that exclude each other", filter: search.Filter{ChatID: "chat-1", SessionID: "f03"}},
	}
}
