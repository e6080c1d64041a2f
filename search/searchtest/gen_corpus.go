package searchtest

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// genCompanies are the companies of generated sessions.
func genCompanies() []tenancy.CompanyID {
	return []tenancy.CompanyID{genCo, genCo + 1, genCo + 2, 70, tenancy.MaxCompanyID - 2}
}

// genScopes are the scopes of generated queries.
func genScopes() [][]tenancy.CompanyID {
	all := genCompanies()
	return [][]tenancy.CompanyID{all, all[:1], all[1:2], all[:3], all[2:], {all[0], all[4]}, {lonelyCo}, nil}
}

// The pools are small, so that sessions share values and queries match some of
// them.
var (
	genNames = evenly([]string{
		"Иванов", "Алёна", "АЛЕНА", "Андрей", "Андреи", "Андреи\u0306", "Jos\u00e9", "Jose\u0301", "JOSE", "Wei\u00df",
		"weiss", "S\u00f8ren", "Nu\u00f1ez", "Nun\u0303ez", "王小明", "小明", "דוד", "\u200fדוד", "محمد", "\U0001f469\u200d\U0001f467", "\U0001f600",
		"100%", "a_b", "a*", "NOT", "OR", `"x"`, `\`, "It's", "I\u015f\u0131k", "Νίκος", "\uff21\uff22", "a", "ab", "abc", "\u200b",
		"O\u2019Brien", "o'brien", "Anna\u2011Maria", "anna-maria", "\u2764\ufe0f", "\u1100\u1175\u11b7", "\uae40", "か\u3099", "が", "か", "ｶﾞ", "ガ",
		"\u0921\u093c", "\u095c", "مُحَمَّد", "\ufee3\ufea4\ufee4\ufeaa",
	})
	genScraps = rapid.StringOfN(rapid.RuneFrom([]rune("abABйиЙё12 .-%_\u0301\u0306é王\U0001f600\"*'\u2019\u2011`か\u3099\uff9e\uae30\u11b7\u1100\u1175\u064eا\u0653\ufe0f")), 0, 12, -1)
	genPhones = evenly([]string{
		"79991234567", "+7 (999) 123-45-67", "89991234567", "+1 555 0100", "15550100", "٠١٢٣٤٥", "380671002030", "1234 2345", "12345",
		"491713920001", "+49 (0) 171 3920001", "0171/3920001", "0049 171 392 00 01", "0901234\u30fc5678",
	})
	genTags     = evenly([]string{"vip", "VIP", "not vip", "срочно", "50%", ""})
	genStatuses = evenly([]string{"OPEN", "open", "CLOSED", "Закрыт"})
	genShort    = evenly([]string{"a", "A", "b", "é", "e\u0301", "10", "9", "", "\U0001f600", "\uffee"})
	genDates    = rapid.Map(evenly([]int{
		-1000, -999, -1, 0, 1, 2, 999, 1000, 60_000,
		-40 * 86_400_000, 5 * 3_600_000, 3 * 86_400_000, 800 * 86_400_000, // for histograms
	}), at)
	genCounts  = evenly([]int{0, 0, 1, 2, 3})
	genRatings = evenly([]any{-1.0, 0.0, json.Number("-0.0"), 0.5, 4.5, 4.500001, 10.0, 9.0}) // two zeros, which count as equal
	genScores  = evenly([]int{-1, 0, 7, 9, 10})
	genFlags   = rapid.Bool()
)

// genSession draws a session. Its id contains the number n, which makes it unique.
func genSession(t *rapid.T, n int) spec {
	v := values{}
	maybe(t, v, "name", rapid.OneOf(genNames, rapid.Map(rapid.SliceOfN(genNames, 2, 3), join(" ")), genScraps))
	maybe(t, v, "clientId", rapid.OneOf(genNames, genScraps, genPhones, evenly([]string{"c-1", "c-2", "C-1", ""})))
	maybe(t, v, "whatsappPhone", rapid.OneOf(genPhones, genPhones, genScraps))
	maybe(t, v, "telegramClientId", rapid.OneOf(genNames, genPhones, genScraps))
	maybe(t, v, "tags", rapid.Map(rapid.SliceOfN(genTags, 0, 3), join(" , ")))
	maybe(t, v, "messengerType", evenly(session.MessengerTypes()[:4]))
	maybe(t, v, "operatorType", evenly(session.OperatorTypes()))
	for _, field := range []string{"status", "botStatus"} {
		maybe(t, v, field, genStatuses)
	}
	for _, field := range []string{"chatId", "operatorId"} {
		maybe(t, v, field, genShort)
	}
	maybe(t, v, "operatorName", rapid.OneOf(genNames, genShort))
	for _, field := range []string{"createdAt", "updatedAt", "startedAt", "closedAt", "lastMessageCreatedAt"} {
		maybe(t, v, field, genDates)
	}
	maybe(t, v, "rating", genRatings)
	maybe(t, v, "nps", genScores)
	maybe(t, v, "timerFirstAnswer", genScores)
	maybe(t, v, "unreadClientMessageCount", genCounts)
	maybe(t, v, "isLostSession", genFlags)
	maybe(t, v, "markedAsSpam", genFlags)
	maybe(t, v, "clientBanned", genFlags)
	for _, field := range []string{"clientMessageCount", "operatorMessageCount", "botMessageCount"} {
		v[field] = genCounts.Draw(t, field)
	}
	id := fmt.Sprintf("%s-%d", genShort.Draw(t, "id"), n)
	return spec{id, evenly(genCompanies()).Draw(t, "company"), v}
}

// evenly draws each item with the same probability. rapid's SampledFrom prefers the
// first ones, so that the last one would hardly ever be drawn.
func evenly[T any](items []T) *rapid.Generator[T] {
	flips := bits.Len(uint(len(items))) + 4
	return rapid.Map(rapid.SliceOfN(rapid.Bool(), flips, flips), func(heads []bool) T {
		n := 0
		for _, head := range heads {
			n *= 2
			if head {
				n++
			}
		}
		return items[n%len(items)]
	})
}

// below draws a number from 0 to n-1.
func below(n int) *rapid.Generator[int] {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return evenly(numbers)
}

// maybe sets the field in three of four sessions.
func maybe[V any](t *rapid.T, v values, field string, g *rapid.Generator[V]) {
	if evenly([]bool{true, true, true, false}).Draw(t, "has "+field) {
		v[field] = g.Draw(t, field)
	}
}

func join(separator string) func([]string) string {
	return func(parts []string) string { return strings.Join(parts, separator) }
}
