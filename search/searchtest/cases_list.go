package searchtest

import (
	"strconv"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// listChecks test the any-of filters.
func listChecks() []check { return reads("list", filterCo, listReads()) }

func listReads() []read {
	return []read{
		{name: "one messenger", filter: search.Filter{MessengerTypes: []string{"TELEGRAM"}}, want: "f03 f04"},
		{name: "two messengers", filter: search.Filter{MessengerTypes: []string{"WHATSAPP", "WEB"}}, want: "f01 f02 f05"},
		{name: "a messenger that nobody used", filter: search.Filter{MessengerTypes: []string{"VIBER"}}},
		{name: "all messengers leave out the missing", filter: search.Filter{MessengerTypes: session.MessengerTypes()},
			want: "f01 f02 f03 f04 f05 f07 f08"},
		{name: "a messenger twice", filter: search.Filter{MessengerTypes: []string{"WEB", "WEB"}}, want: "f01 f05"},
		{name: "one status", filter: search.Filter{Status: []string{"OPEN"}}, want: "f01 f03"},
		{name: "status is byte-exact", filter: search.Filter{Status: []string{"open"}}, want: "f04"},
		{name: "two statuses", filter: search.Filter{Status: []string{"WAITING", "CLOSED"}}, want: "f02 f05"},
		{name: "status keeps its spaces", filter: search.Filter{Status: []string{"Закрыт"}}, want: "f08"},
		{name: "status with brackets", filter: search.Filter{Status: []string{"IN (PROGRESS)"}}, want: "f10"},
		{name: "one known status of two", filter: search.Filter{Status: []string{"OPEN", "no such"}}, want: "f01 f03"},
		{name: "one operator", filter: search.Filter{OperatorIDs: []string{"op-1"}}, want: "f02"},
		{name: "two operators", filter: search.Filter{OperatorIDs: []string{"op-1", "op-2"}}, want: "f02 f05"},
		{name: "operator is byte-exact", filter: search.Filter{OperatorIDs: []string{"Op-1"}}, want: "f04"},
		{name: "operator in Cyrillic", filter: search.Filter{OperatorIDs: []string{"оператор"}}, want: "f08"},
		{name: "operator is no pattern", filter: search.Filter{OperatorIDs: []string{"op_1"}}, want: "f10"},
		{name: "a thousand operators", filter: search.Filter{OperatorIDs: thousandAnd("op-10")}, want: "f07"},
		{name: "a tag among others", filter: search.Filter{Tags: []string{"vip"}}, want: "f02 f03 f07"},
		{name: "tag is byte-exact", filter: search.Filter{Tags: []string{"VIP"}}, want: "f04"},
		{name: "two tags", filter: search.Filter{Tags: []string{"urgent", "VIP"}}, want: "f03 f04"},
		{name: "tags are trimmed on both sides", filter: search.Filter{Tags: []string{"late"}}, want: "f04 f07"},
		{name: "tag holds inner spaces", filter: search.Filter{Tags: []string{"not vip"}}, want: "f05"},
		{name: "tag is no substring", filter: search.Filter{Tags: []string{"vi"}}},
		{name: "tag is no list", filter: search.Filter{Tags: []string{"vip,urgent"}}},
		{name: "tag in Cyrillic", filter: search.Filter{Tags: []string{"срочно"}}, want: "f08 f09"},
		{name: "tag with a percent sign", filter: search.Filter{Tags: []string{"50%"}}, want: "f10"},
		{name: "tag with an underscore is no pattern", filter: search.Filter{Tags: []string{"a_b", "a?b"}}, want: "f10"},
		{name: "tag with a quote", filter: search.Filter{Tags: []string{"it's"}}, want: "f10"},
		{name: "a thousand tags", filter: search.Filter{Tags: thousandAnd("urgent")}, want: "f03"},
		{name: "lists are joined by and", filter: search.Filter{Tags: []string{"vip"}, Status: []string{"OPEN"}}, want: "f03"},
		{name: "none of two messengers matches missing", filter: search.Filter{MessengerTypesNot: []string{"WEB", "OTHER"}},
			want: "f02 f03 f04 f06 f08 f09 f10"},
		{name: "none of all messengers matches missing alone", filter: search.Filter{MessengerTypesNot: session.MessengerTypes()}, want: "f06 f09 f10"},
		{name: "no status of two matches missing", filter: search.Filter{StatusNot: []string{"OPEN", "CLOSED"}},
			want: "f04 f05 f06 f07 f08 f09 f10"},
		{name: "no status is byte-exact", filter: search.Filter{StatusNot: []string{"open", "Закрыт"}}, want: "f01 f02 f03 f05 f06 f07 f09 f10"},
		{name: "no operator matches missing", filter: search.Filter{OperatorIDsNot: []string{"op-1", "op-2"}},
			want: "f01 f03 f04 f06 f07 f08 f09 f10"},
		{name: "no operator is no pattern", filter: search.Filter{OperatorIDsNot: []string{"op_1", "op%"}}, want: "f01 f02 f03 f04 f05 f06 f07 f08 f09"},
		{name: "none of a thousand operators", filter: search.Filter{OperatorIDsNot: thousandAnd("op-10")},
			want: "f01 f02 f03 f04 f05 f06 f08 f09 f10"},
		{name: "no tag of two matches missing", filter: search.Filter{TagsNot: []string{"vip", "срочно"}}, want: "f01 f04 f05 f06 f10"},
		{name: "no tag is no substring", filter: search.Filter{TagsNot: []string{"vi", "vip,urgent", "not"}},
			want: "f01 f02 f03 f04 f05 f06 f07 f08 f09 f10"},
		{name: "none of a thousand tags", filter: search.Filter{TagsNot: thousandAnd("vip")}, want: "f01 f04 f05 f06 f08 f09 f10"},
		{name: "a value and none of its others", filter: search.Filter{Tags: []string{"vip"}, TagsNot: []string{"urgent"}}, want: "f02 f07"},
		{name: "a list and its own opposite", filter: search.Filter{Status: []string{"OPEN"}, StatusNot: []string{"OPEN"}}},
	}
}

func thousandAnd(value string) []string {
	list := make([]string, 0, 1001)
	for i := range 1000 {
		list = append(list, "nobody-"+strconv.Itoa(i))
	}
	return append(list, value)
}
