package sqlite

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// column is one column of table sessions. A field of the document fills it.
type column struct {
	name    string
	sqlType string
	value   func(session.Document) any // nil: NULL
}

// sessionColumns are the columns of table sessions after its key, in the order in
// which they are created and written.
var sessionColumns = []column{
	{"id", "TEXT NOT NULL", func(d session.Document) any { return d.ID() }},
	{"company_id", "INTEGER NOT NULL", func(d session.Document) any { return int64(d.CompanyID()) }},
	integerColumn("started_at", "startedAt"),
	integerColumn("created_at", "createdAt"),
	integerColumn("updated_at", "updatedAt"),
	integerColumn("closed_at", "closedAt"),
	integerColumn("last_message_at", "lastMessageCreatedAt"),
	integerColumn("client_messages", "clientMessageCount"),
	integerColumn("operator_messages", "operatorMessageCount"),
	integerColumn("bot_messages", "botMessageCount"),
	integerColumn("messages", "messageCount"),
	{"rating", "REAL", func(d session.Document) any { return orNull(d.Number("rating")) }},
	{"marked_as_spam", "INTEGER", func(d session.Document) any { return orNull(d.Boolean("markedAsSpam")) }},
	{"client_banned", "INTEGER", func(d session.Document) any { return orNull(d.Boolean("clientBanned")) }},
	{"is_lost_session", "INTEGER", func(d session.Document) any { return orNull(d.Boolean("isLostSession")) }},
	integerColumn("unread_client_messages", "unreadClientMessageCount"),
	integerColumn("nps", "nps"),
	integerColumn("timer_first_answer", "timerFirstAnswer"),
	textColumn("chat_id", "chatId"),
	textColumn("client_id", "clientId"),
	textColumn("messenger_type", "messengerType"),
	textColumn("status", "status"),
	textColumn("bot_status", "botStatus"),
	textColumn("operator_id", "operatorId"),
	textColumn("operator_type", "operatorType"),
	textColumn("name", "name"),
	foldedColumn("name_key", "name"),
	foldedColumn("messenger_type_key", "messengerType"),
	foldedColumn("status_key", "status"),
	foldedColumn("client_id_key", "clientId"),
	foldedColumn("operator_id_key", "operatorId"),
	foldedColumn("operator_name_key", "operatorName"),
	{"tags", "TEXT", func(d session.Document) any { return orNull(packTags(d.Tags())) }},
	{"words", "TEXT NOT NULL", func(d session.Document) any { return keywordText(d) }},
	{"digits", "TEXT NOT NULL", func(d session.Document) any { return phoneDigits(d) }},
}

// The last two columns are also written to the trigram index.
const indexedColumns = 2

// sortColumns are the columns that each sortable field of the catalogue sorts by.
// Text sorts by its folded value, except the id.
var sortColumns = map[string]string{
	"id":                   "id",
	"companyId":            "company_id",
	"name":                 "name_key",
	"messengerType":        "messenger_type_key",
	"status":               "status_key",
	"clientId":             "client_id_key",
	"operatorId":           "operator_id_key",
	"operatorName":         "operator_name_key",
	"clientMessageCount":   "client_messages",
	"operatorMessageCount": "operator_messages",
	"botMessageCount":      "bot_messages",
	"messageCount":         "messages",
	"createdAt":            "created_at",
	"updatedAt":            "updated_at",
	"startedAt":            "started_at",
	"closedAt":             "closed_at",
	"lastMessageCreatedAt": "last_message_at",
	"rating":               "rating",
}

func integerColumn(name, field string) column {
	return column{name, "INTEGER", func(d session.Document) any { return orNull(d.Integer(field)) }}
}

func textColumn(name, field string) column {
	return column{name, "TEXT", func(d session.Document) any { return orNull(d.Text(field)) }}
}

func foldedColumn(name, field string) column {
	return column{name, "TEXT", func(d session.Document) any {
		text, ok := d.Text(field)
		if !ok {
			return nil
		}
		return keyword.Fold(text)
	}}
}

func orNull[T any](value T, ok bool) any {
	if !ok {
		return nil
	}
	return value
}

// packTags writes tags as ",a,b,". A tag contains no comma, so the text contains
// ",a," exactly when a is one of the tags.
func packTags(tags []string) (string, bool) {
	if len(tags) == 0 {
		return "", false
	}
	return "," + strings.Join(tags, ",") + ",", true
}

func unpackTags(packed string) []string {
	if packed == "" {
		return nil
	}
	return strings.Split(strings.Trim(packed, ","), ",")
}

func createSessions() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE sessions (key INTEGER PRIMARY KEY")
	for _, c := range sessionColumns {
		fmt.Fprintf(&b, ", %s %s", c.name, c.sqlType)
	}
	b.WriteString(") STRICT")
	return b.String()
}

func columnNames() []string {
	names := make([]string, len(sessionColumns))
	for i, c := range sessionColumns {
		names[i] = c.name
	}
	return names
}

func columnValues(d session.Document) []any {
	values := make([]any, len(sessionColumns))
	for i, c := range sessionColumns {
		values[i] = c.value(d)
	}
	return values
}
