package searchtest

import (
	"context"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/session"
)

// fieldFixture has one session with a value in every field and one without any.
func fieldFixture() []spec {
	full := values{}
	for _, f := range session.Fields() {
		switch f.Type {
		case session.TypeString:
			full[f.Name] = f.Name + " \"<&>\u2028\u00e9\U0001f600\\\""
		case session.TypeInteger:
			full[f.Name] = 7
		case session.TypeNumber:
			full[f.Name] = 0.30000000000000004
		case session.TypeBoolean:
			full[f.Name] = true
		case session.TypeDate:
			full[f.Name] = at(123)
		case session.TypeStrings:
			full[f.Name] = []string{"b", "a", "", "a"}
		case session.TypeOperators:
			full[f.Name] = []values{{"id": 1, "name": "Олег", "type": "OPERATOR", "assigned_at": at(1)}}
		case session.TypeObject:
			full[f.Name] = values{"z": 1, "a": []any{nil, true, 1.5, values{"deep": "é"}}}
		}
	}
	full["messageCount"] = 21
	full["messengerType"], full["operatorType"] = "WHATSAPP", "OPERATOR"
	return []spec{{"e1", fieldCo, full}, {"e2", fieldCo, nil}, {"e3", fieldCo, values{"name": "", "tags": "", "rating": 0}}}
}

func fieldChecks() []check {
	var all []check
	ask := func(name string, set session.FieldSet, keys ...string) {
		a := everything(fieldCo, twinCo).by(keys...).fields(set)
		all = append(all, check{"fields/" + name, func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a)
			return err
		}})
	}
	var even, odd, last session.FieldSet
	for i, f := range session.Fields() {
		ask(f.Name+" alone", last.With(i), "id")
		if i%2 == 0 {
			even = even.With(i)
		} else {
			odd = odd.With(i)
		}
	}
	ask("all", session.AllFields(), "id")
	ask("every other one", even, "-name")
	ask("every other one, from the second", odd, "-name")
	ask("in catalogue order, whatever was asked first", fieldsOf("payerNameFromTransaction", "name", "companyId", "id"), "id")
	ask("the first and the last", fieldsOf("id", "payerNameFromTransaction"), "rating")
	ask("without the sorted field", fieldsOf("id", "chatId"), "-startedAt", "name")
	ask("without id and company", fieldsOf("name", "status"), "id")
	ask("the billing fields", fieldsOf("transactionDate", "personalAccountId", "companyId", "companyName",
		"amount", "purpose", "externalId", "payerNameFromTransaction"), "id")
	return append(all,
		check{"fields/few, page by page", walk(everything(fieldCo, twinCo).by("-name").fields(fieldsOf("rating")).page(0, 2))},
		check{"fields/a filter on a field that is not asked for", func(ctx context.Context, e *env) error {
			a := everything(fieldCo).fields(fieldsOf("chatName")).where(search.Filter{OperatorTypes: []string{session.OperatorHuman}}).find("whatsappphone")
			_, _, err := e.agree(ctx, a)
			return err
		}})
}
