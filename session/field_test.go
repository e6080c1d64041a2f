package session

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/search/keyword"
)

func TestTheCatalogueFitsAFieldSet(t *testing.T) {
	if most := len(FieldSet{}) * 64; FieldCount() > most {
		t.Errorf("%d fields, a FieldSet holds %d", FieldCount(), most)
	}
}

func TestTheCatalogueIsThatOfTheContract(t *testing.T) {
	// The letters of the contract: s sortable, d date, i integer, n number,
	// b boolean, l list of strings, o object, p operators.
	const contract = `id s, companyId is, companyName, chatId, chatName, name s, channel, messengerType s, status s,
		botStatus, botId, botName, markedAsSpam b, clientId s, clientExternalId, clientDeviceId, clientIp,
		clientUserAgent, clientBanned b, whatsappPhone, telegramClientId, referer, location, timeZone, countryCode,
		countryName, regionCode, regionName, city, zipCode, operatorId s, operatorName s, operatorType,
		operatorGroupIds l, operatorAssignedAt d, operators p, tags, clientMessageCount is, operatorMessageCount is,
		botMessageCount is, messageCount is, unreadClientMessageCount i, createdAt ds, updatedAt ds, startedAt ds,
		closedAt ds, clientOnlineAt d, clientOfflineAt d, lastMessageCreatedAt ds, clientLastMessageCreatedAt d,
		operatorLastMessageCreatedAt d, botLastMessageCreatedAt d, operatorFirstMessageCreatedAt d, closedByUserId,
		closedByOperatorName, closedByBotId, lastMessage o, lastOperatorMessage,
		firstClientMessageAfterLastOperatorMessage, ttl i, timerFirstAnswer i, timerNextAnswers i, dialogResults l,
		operatorResults l, nps i, csi n, csiMax n, csiPercent n, rating ns, fcr b, price n, operatorDialogDuration i,
		operatorTimerFirstAnswer i, operatorTimerNextAnswers i, switchAnotherOperator b, haveExternalMessage b,
		isLostSession b, metrics o, transactionDate d, personalAccountId, amount n, purpose, externalId,
		payerNameFromTransaction`
	letters := map[Type]string{TypeInteger: "i", TypeNumber: "n", TypeBoolean: "b", TypeDate: "d", TypeStrings: "l", TypeObject: "o", TypeOperators: "p"}
	var want, got []string
	for entry := range strings.SplitSeq(contract, ",") {
		want = append(want, strings.TrimSpace(entry))
	}
	for _, f := range Fields() {
		kind := letters[f.Type]
		if f.SortName != "" {
			kind += "s"
		}
		got = append(got, strings.TrimSpace(f.Name+" "+kind))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-contract +catalogue):\n%s", diff)
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	seen := make(map[string]string)
	for _, f := range Fields() {
		if !strings.HasSuffix(f.Description, ".") {
			t.Errorf("%s: description %q is no sentence", f.Name, f.Description)
		}
		if other, ok := seen[f.Description]; ok {
			t.Errorf("%s and %s are described alike", f.Name, other)
		}
		seen[f.Description] = f.Name
		if f.Example == "null" {
			t.Errorf("%s: null shows nothing", f.Name)
		}
	}
}

func TestTheExamplesMakeASessionInWireForm(t *testing.T) {
	doc := parseGiven(t, fullDocument())
	if diff := cmp.Diff(string(fullDocument()), string(doc.JSON())); diff != "" {
		t.Errorf("(-examples +wire form):\n%s", diff)
	}
}

func TestOnlyTheFieldsThatAreAlwaysThereAreNotNullable(t *testing.T) {
	var wire map[string]json.RawMessage
	if err := json.Unmarshal(parseGiven(t, given("")).JSON(), &wire); err != nil {
		t.Fatal(err)
	}
	for _, f := range Fields() {
		if isNull := string(wire[f.Name]) == "null"; isNull != f.Nullable {
			t.Errorf("%s: nullable is %v, but a bare session has %s", f.Name, f.Nullable, wire[f.Name])
		}
	}
}

func TestFieldsAreFoundByTheirSortNames(t *testing.T) {
	for name, want := range map[string]string{
		"started_at": "startedAt", "startedAt": "startedAt", "name": "name", "id": "id", "messageCount": "messageCount",
		"chatId": "", "STARTED_AT": "", "": "",
	} {
		field, ok := FieldBySortName(name)
		if field.Name != want || ok != (want != "") {
			t.Errorf("FieldBySortName(%q) = %q, %v; want %q", name, field.Name, ok, want)
		}
	}
}

func TestFieldSet(t *testing.T) {
	first, last := 0, FieldCount()-1
	set := FieldSet{}.With(last).With(first).With(64)
	if !set.Has(first) || !set.Has(64) || !set.Has(last) || set.Has(1) || set.Len() != 3 || set.IsAll() {
		t.Errorf("set is %v", set.Names())
	}
	if all := AllFields(); !all.IsAll() || all.Len() != FieldCount() || len(all.Names()) != FieldCount() {
		t.Errorf("all fields are %v", all.Names())
	}
}

func TestKeywordFieldsAreStringsOfTheCatalogue(t *testing.T) {
	for _, name := range keyword.Fields() {
		if _, field, ok := FieldByName(name); !ok || field.Type != TypeString {
			t.Errorf("%s is %+v, %v", name, field, ok)
		}
	}
}
