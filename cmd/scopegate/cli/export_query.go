package cli

import (
	"reflect"

	"github.com/scopegate/scopegate/cmd/scopegate/download"
)

// exportQuery are the parameters of an export, each a flag of the same name. A
// test holds them against api/openapi.yaml.
type exportQuery struct {
	ShowAllSupervised switchParam  `name:"showAllSupervised" group:"Whose sessions" help:"All supervised companies; with --companyId, that one and all below it."`
	CompanyID         numberParam  `name:"companyId" group:"Whose sessions" placeholder:"ID" help:"One company."`
	CompanyIDs        numbersParam `name:"companyIds" group:"Whose sessions" placeholder:"ID,…" help:"Several companies."`
	BranchIDs         numbersParam `name:"branchIds" group:"Whose sessions" placeholder:"ID,…" help:"Companies, each with all below it."`
	ExceptCompanyIDs  numbersParam `name:"exceptCompanyIds" group:"Whose sessions" placeholder:"ID,…" help:"But not these."`
	ExceptBranchIDs   numbersParam `name:"exceptBranchIds" group:"Whose sessions" placeholder:"ID,…" help:"But not these, nor what is below them."`

	From                textParam    `name:"from" group:"Which of them" placeholder:"TIME" help:"RFC 3339, inclusive."`
	To                  textParam    `name:"to" group:"Which of them" placeholder:"TIME" help:"RFC 3339, inclusive."`
	DateField           textParam    `name:"dateField" group:"Which of them" placeholder:"FIELD" help:"What --from and --to bound: createdAt (default), updatedAt, startedAt, closedAt or lastMessageCreatedAt."`
	Keyword             textParam    `name:"keyword" group:"Which of them" placeholder:"TEXT" help:"Words, or parts of them, of name, client id or phone."`
	SessionID           textParam    `name:"sessionId" group:"Which of them" placeholder:"ID" help:"This session."`
	ChatID              textParam    `name:"chatId" group:"Which of them" placeholder:"ID" help:"The sessions of this chat."`
	MessengerType       listParam    `name:"messengerType" group:"Which of them" placeholder:"TYPE,…" help:"Of any of these messengers."`
	MessengerTypeNot    listParam    `name:"messengerTypeNot" group:"Which of them" placeholder:"TYPE,…" help:"Of none of these messengers."`
	MinMessageCount     numberParam  `name:"minMessageCount" group:"Which of them" placeholder:"N" help:"With at least so many messages."`
	OnlyClientMessages  switchParam  `name:"onlyClientMessages" group:"Which of them" help:"With messages of the client and of nobody else."`
	OperatorType        listParam    `name:"operatorType" group:"Which of them" placeholder:"TYPE,…" help:"Served last by any of BOT, OPERATOR, NONE."`
	Status              listParam    `name:"status" group:"Which of them" placeholder:"STATUS,…" help:"With any of these."`
	StatusNot           listParam    `name:"statusNot" group:"Which of them" placeholder:"STATUS,…" help:"With none of these."`
	BotStatus           textParam    `name:"botStatus" group:"Which of them" placeholder:"STATUS" help:"With this one."`
	OperatorID          listParam    `name:"operatorId" group:"Which of them" placeholder:"ID,…" help:"Of any of these operators."`
	OperatorIDNot       listParam    `name:"operatorIdNot" group:"Which of them" placeholder:"ID,…" help:"Of none of these operators."`
	Name                textParam    `name:"name" group:"Which of them" placeholder:"TEXT" help:"With exactly this name."`
	Tags                listParam    `name:"tags" group:"Which of them" placeholder:"TAG,…" help:"With any of these tags."`
	TagsNot             listParam    `name:"tagsNot" group:"Which of them" placeholder:"TAG,…" help:"With none of these tags."`
	MarkedAsSpam        switchParam  `name:"markedAsSpam" group:"Which of them" help:"Marked as spam, or with =false not."`
	ClientBanned        switchParam  `name:"clientBanned" group:"Which of them" help:"Of clients that are banned, or with =false not."`
	Closed              switchParam  `name:"closed" group:"Which of them" help:"That are closed, or with =false not."`
	RatingMin           decimalParam `name:"ratingMin" group:"Which of them" placeholder:"X" help:"Rated at least so."`
	RatingMax           decimalParam `name:"ratingMax" group:"Which of them" placeholder:"X" help:"Rated at most so."`
	IsLostSession       switchParam  `name:"isLostSession" group:"Which of them" help:"Lost, or with =false not."`
	HasUnread           switchParam  `name:"hasUnread" group:"Which of them" help:"With unread messages of the client, or with =false without."`
	ClientID            textParam    `name:"clientId" group:"Which of them" placeholder:"ID" help:"The sessions of this client."`
	NPSMin              decimalParam `name:"npsMin" group:"Which of them" placeholder:"X" help:"With at least this NPS."`
	NPSMax              decimalParam `name:"npsMax" group:"Which of them" placeholder:"X" help:"With at most this NPS."`
	TimerFirstAnswerMin decimalParam `name:"timerFirstAnswerMin" group:"Which of them" placeholder:"SECONDS" help:"First answered after at least so long."`
	GroupByClientID     switchParam  `name:"groupByClientId" group:"Which of them" help:"The newest of each client of a company; not with --sort."`

	Fields      listParam   `name:"fields" group:"What of each, and how many" placeholder:"FIELD,…" help:"Default: all."`
	Sort        listParam   `name:"sort" group:"What of each, and how many" placeholder:"FIELD,…" help:"As --sort=-started_at; default: by id. What is sorted otherwise cannot be resumed."`
	Limit       numberParam `name:"limit" group:"What of each, and how many" placeholder:"N" help:"How many at most."`
	Offset      numberParam `name:"offset" group:"What of each, and how many" placeholder:"N" help:"How many to skip."`
	OffsetField textParam   `name:"offsetField" group:"What of each, and how many" placeholder:"FIELD" help:"With --offsetValue: start behind this value of the first field of --sort."`
	OffsetValue textParam   `name:"offsetValue" group:"What of each, and how many" placeholder:"VALUE" help:"See --offsetField."`
	Timezone    zoneParam   `name:"timezone" group:"What of each, and how many" placeholder:"ZONE" help:"For the dates of CSV, CSV_EXCEL and XLSX: an IANA name, as Europe/Berlin, or minutes east of UTC, as --timezone=-180."`
	Header      textParam   `name:"header" group:"What of each, and how many" placeholder:"names|labels" help:"The header row of CSV_EXCEL and XLSX: names of fields (default), or labels in --language."`
	Language    textParam   `name:"language" group:"What of each, and how many" placeholder:"en|ru" help:"Of --header=labels."`
	Filename    textParam   `name:"filename" group:"What of each, and how many" placeholder:"NAME" help:"Of the file in a --zip, without extension."`
}

// question holds what was given.
func (q exportQuery) question() download.Query {
	asked := download.Query{}
	v := reflect.ValueOf(q)
	for i := range v.NumField() {
		if value, ok := v.Field(i).Interface().(parameter).asked(); ok {
			asked[v.Type().Field(i).Tag.Get("name")] = value
		}
	}
	return asked
}
