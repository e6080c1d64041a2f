package sqlite

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// maxPlaceholders is the longest list that is bound value by value.
const maxPlaceholders = 500

// maxTagTests is the largest number of tags that are tested on the sessions
// themselves.
const maxTagTests = 20

// condition is one part of a WHERE clause, with the values of its placeholders.
type condition struct {
	sql  string
	args []any
}

// never is a condition that no row meets. The statement is then not sent to SQLite:
// next to a constant SQLite refuses the index that INDEXED BY names.
const never = "0"

func isNever(conditions []condition) bool {
	return slices.ContainsFunc(conditions, func(c condition) bool { return c.sql == never })
}

// where is a WHERE clause that begins with the tenant scope.
//
// SECURITY: scoped is the only place that makes one, and it panics without a
// scope: a statement that reads sessions can't be built unscoped.
type where struct {
	sql  strings.Builder
	args []any
}

// scoped begins the WHERE clause of a statement over table alias s. With probe
// the scope is only checked, row by row, and can't choose the index.
func scoped(scope scopeSet, probe bool) *where {
	if scope.sql == "" || scope.size == 0 {
		panic("sqlite: statement without a tenant scope")
	}
	w := &where{}
	w.sql.WriteString(" WHERE ")
	if probe {
		w.sql.WriteByte('+')
	}
	w.sql.WriteString("s.company_id IN " + scope.sql)
	return w
}

func (w *where) and(conditions ...condition) *where {
	for _, c := range conditions {
		w.sql.WriteString(" AND " + c.sql)
		w.args = append(w.args, c.args...)
	}
	return w
}

// conditions returns the conditions of the filter, each over table alias s.
func conditions(f search.Filter) []condition {
	b := conditionList{}
	b.equal("s.id", f.SessionID)
	b.equal("s.chat_id", f.ChatID)
	b.equal("s.bot_status", f.BotStatus)
	b.equal("s.client_id", f.ClientID)
	if f.Name != "" {
		b.add("s.name_key = ? AND s.name = ?", keyword.Fold(f.Name), f.Name)
	}
	b.anyOf("s.messenger_type", f.MessengerTypes)
	b.anyOf("s.status", f.Status)
	b.anyOf("s.operator_id", f.OperatorIDs)
	b.noneOf("s.messenger_type", f.MessengerTypesNot)
	b.noneOf("s.status", f.StatusNot)
	b.noneOf("s.operator_id", f.OperatorIDsNot)
	b.dates(f)
	if f.MinMessageCount > 0 {
		b.add("s.messages >= ?", f.MinMessageCount)
	}
	if f.OnlyClientMessages {
		b.add("s.client_messages > 0 AND s.operator_messages = 0 AND s.bot_messages = 0")
	}
	b.operatorTypes(f.OperatorTypes)
	b.flag("s.marked_as_spam", f.MarkedAsSpam)
	b.flag("s.client_banned", f.ClientBanned)
	b.present("s.closed_at", f.Closed)
	b.flag("s.is_lost_session", f.IsLostSession)
	b.unread(f.HasUnread)
	b.bounds("s.rating", f.RatingMin, f.RatingMax)
	b.bounds("s.nps", f.NPSMin, f.NPSMax)
	b.bounds("s.timer_first_answer", f.TimerFirstAnswerMin, nil)
	b.tags(f.Tags)
	b.tagsNot(f.TagsNot)
	if !f.Keyword.IsZero() {
		b = append(b, keywordCondition(f.Keyword))
	}
	return b
}

type conditionList []condition

func (b *conditionList) add(sql string, args ...any) {
	*b = append(*b, condition{sql, args})
}

func (b *conditionList) equal(column, value string) {
	if value != "" {
		b.add(column+" = ?", value)
	}
}

func (b *conditionList) anyOf(column string, values []string) {
	if len(values) > 0 {
		list := anyOf(values)
		b.add(column+" IN "+list.sql, list.args...)
	}
}

// noneOf also matches sessions without a value.
func (b *conditionList) noneOf(column string, values []string) {
	if len(values) > 0 {
		list := anyOf(values)
		b.add("("+column+" IS NULL OR "+column+" NOT IN "+list.sql+")", list.args...)
	}
}

// anyOf returns a list as the right side of IN.
func anyOf(values []string) condition {
	if len(values) > maxPlaceholders {
		list, err := json.Marshal(values)
		if err == nil {
			return condition{"(SELECT value FROM json_each(?))", []any{string(list)}}
		}
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return condition{"(?" + strings.Repeat(",?", len(values)-1) + ")", args}
}

func (b *conditionList) dates(f search.Filter) {
	column := "s." + dateColumn(f)
	if !f.From.IsZero() {
		b.add(column+" >= ?", session.RoundUpMilli(f.From))
	}
	if !f.To.IsZero() {
		b.add(column+" <= ?", f.To.UnixMilli())
	}
}

// dateColumn returns the column of the date that the filter bounds.
func dateColumn(f search.Filter) string {
	if f.DateField == "" {
		return sortColumns[string(search.CreatedAt)]
	}
	return sortColumns[string(f.DateField)]
}

func (b *conditionList) operatorTypes(values []string) {
	if !slices.Contains(values, session.OperatorNone) {
		b.anyOf("s.operator_type", values)
		return
	}
	list := anyOf(values)
	b.add("(s.operator_type IS NULL OR s.operator_type IN "+list.sql+")", list.args...)
}

// present adds the condition that the column has a value or, for false, that it has
// none.
func (b *conditionList) present(column string, value *bool) {
	switch {
	case value == nil:
	case *value:
		b.add(column + " IS NOT NULL")
	default:
		b.add(column + " IS NULL")
	}
}

// unread adds a condition on the unread messages of the client.
func (b *conditionList) unread(value *bool) {
	switch {
	case value == nil:
	case *value:
		b.add("s.unread_client_messages > 0")
	default:
		b.add("(s.unread_client_messages IS NULL OR s.unread_client_messages <= 0)")
	}
}

// bounds adds the inclusive bounds of a number. A session without the number is not
// within them.
func (b *conditionList) bounds(column string, least, most *float64) {
	if least != nil {
		b.add(column+" >= ?", *least)
	}
	if most != nil {
		b.add(column+" <= ?", *most)
	}
}

// flag adds a condition on a boolean; false also matches sessions without a value.
func (b *conditionList) flag(column string, value *bool) {
	switch {
	case value == nil:
	case *value:
		b.add(column + " = 1")
	default:
		b.add("(" + column + " IS NULL OR " + column + " = 0)")
	}
}

// tags tests a few tags on the session itself and many tags in their table:
// SQLite's limit on the depth of an expression would refuse many tests.
func (b *conditionList) tags(tags []string) {
	if len(tags) == 0 {
		return
	}
	if findable := findableTags(tags); len(findable) > 0 {
		tagged := hasTag(findable)
		b.add(tagged.sql, tagged.args...)
	} else {
		b.add(never)
	}
}

// tagsNot also matches sessions without tags.
func (b *conditionList) tagsNot(tags []string) {
	if findable := findableTags(tags); len(findable) > 0 {
		tagged := hasTag(findable)
		b.add("(s.tags IS NULL OR NOT "+tagged.sql+")", tagged.args...)
	}
}

// hasTag is the condition that a session has one of the tags, of which there is at
// least one.
func hasTag(tags []string) condition {
	if len(tags) > maxTagTests {
		list := anyOf(tags)
		return condition{"(s.key IN (SELECT t.key FROM session_tags AS t WHERE t.tag IN " + list.sql + "))", list.args}
	}
	tests, args := make([]string, len(tags)), make([]any, len(tags))
	for i, tag := range tags {
		tests[i], args[i] = "instr(s.tags, ?) > 0", ","+tag+","
	}
	return condition{"(" + strings.Join(tests, " OR ") + ")", args}
}

// findableTags removes values that no session can have as a tag; see packTags.
func findableTags(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		return tag == "" || strings.Contains(tag, ",")
	})
}

const scopeTable = "(SELECT id FROM temp.scope)"

// scopeSet is a tenant scope as the right side of IN on one connection. The zero
// scopeSet has no scope, and no statement can be built with it.
type scopeSet struct {
	sql  string
	size int
}

// bind makes the scope usable on the connection. It must not run inside a
// transaction: a rollback would also undo the scope's table.
func (r *reader) bind(ctx context.Context, scope tenancy.Scope, inline int) (scopeSet, error) {
	if n := scope.Len(); n <= inline {
		return scopeSet{sql: "(" + joinCompanies(scope) + ")", size: n}, nil
	}
	set := scopeSet{sql: scopeTable, size: scope.Len()}
	if r.scope == scope.Fingerprint() {
		return set, nil
	}
	r.scope = tenancy.Fingerprint{}
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{sql: "CREATE TABLE IF NOT EXISTS temp.scope (id INTEGER PRIMARY KEY) STRICT"},
		{sql: "DELETE FROM temp.scope"},
		{sql: "INSERT INTO temp.scope SELECT value FROM json_each(?)", args: []any{"[" + joinCompanies(scope) + "]"}},
	} {
		if err := execute(ctx, r.conn, statement.sql, statement.args...); err != nil {
			return scopeSet{}, err
		}
	}
	r.scope = scope.Fingerprint()
	return set, nil
}

func joinCompanies(scope tenancy.Scope) string {
	return joinNumbers(scope.Companies(), func(id tenancy.CompanyID) int64 { return int64(id) })
}

// joinNumbers returns the numbers of the items with commas between them.
func joinNumbers[T any](items iter.Seq[T], number func(T) int64) string {
	var list []byte
	for item := range items {
		if len(list) > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, number(item), 10)
	}
	return string(list)
}
