package searchtest

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

func scopeMutants() []mutant {
	scope := func(name string, contains func(tenancy.Scope, tenancy.CompanyID) bool) mutant {
		return mutant{"scope: " + name, "scope", hooks{contains: contains}}
	}
	return []mutant{
		scope("is ignored", func(tenancy.Scope, tenancy.CompanyID) bool { return true }),
		scope("when empty matches all", func(s tenancy.Scope, id tenancy.CompanyID) bool { return s.IsEmpty() || s.Contains(id) }),
		scope("is a range", func(s tenancy.Scope, id tenancy.CompanyID) bool {
			ids := slices.Collect(s.Companies())
			return len(ids) > 0 && ids[0] <= id && id <= ids[len(ids)-1]
		}),
		scope("is compared as text", func(s tenancy.Scope, id tenancy.CompanyID) bool {
			return anyOf(s, func(in tenancy.CompanyID) bool {
				return strings.HasPrefix(strconv.Itoa(int(id)), strconv.Itoa(int(in)))
			})
		}),
		scope("is cut to 16 bits", func(s tenancy.Scope, id tenancy.CompanyID) bool {
			return anyOf(s, func(in tenancy.CompanyID) bool { return uint16(in) == uint16(id) })
		}),
		scope("has at most 1,024 companies", func(s tenancy.Scope, id tenancy.CompanyID) bool {
			ids := slices.Collect(s.Companies())
			return slices.Contains(ids[:min(len(ids), 1024)], id)
		}),
		scope("forgets the last company there can be", func(s tenancy.Scope, id tenancy.CompanyID) bool {
			return id != tenancy.MaxCompanyID && s.Contains(id)
		}),
	}
}

func anyOf(s tenancy.Scope, match func(tenancy.CompanyID) bool) bool {
	for id := range s.Companies() {
		if match(id) {
			return true
		}
	}
	return false
}

// without matches correctly, but leaves some sessions out.
func without(left func(search.Filter, record) bool) hooks {
	return hooks{match: func(f search.Filter, t terms, r record) bool {
		return r.matches(f) && r.matchesKeyword(t) && !left(f, r)
	}}
}

func asked(change func(*search.Query)) hooks {
	return hooks{query: func(q search.Query) search.Query { change(&q); return q }}
}

func filterMutants() []mutant {
	missing := func(r record, field string) bool { return r.values[field] == nil }
	insensitive := func(f search.Filter, t terms, r record) bool {
		if strings.EqualFold(r.text("chatId"), f.ChatID) {
			f.ChatID = ""
		}
		return r.matches(f) && r.matchesKeyword(t)
	}
	return []mutant{
		{"filter: false leaves out missing spam", "filter", without(func(f search.Filter, r record) bool {
			return f.MarkedAsSpam != nil && !*f.MarkedAsSpam && missing(r, "markedAsSpam")
		})},
		{"filter: false leaves out missing ban", "filter", without(func(f search.Filter, r record) bool {
			return f.ClientBanned != nil && !*f.ClientBanned && missing(r, "clientBanned")
		})},
		{"filter: false is no condition", "filter", asked(func(q *search.Query) {
			if b := q.Filter.MarkedAsSpam; b != nil && !*b {
				q.Filter.MarkedAsSpam = nil
			}
		})},
		{"filter: NONE leaves out missing", "filter", without(func(f search.Filter, r record) bool {
			return slices.Contains(f.OperatorTypes, session.OperatorNone) && missing(r, "operatorType")
		})},
		{"filter: NONE is only one of the types", "filter", asked(func(q *search.Query) {
			if types := q.Filter.OperatorTypes; len(types) > 1 {
				q.Filter.OperatorTypes = slices.DeleteFunc(slices.Clone(types), func(name string) bool { return name == session.OperatorNone })
			}
		})},
		{"filter: only the first operator type", "filter", asked(func(q *search.Query) {
			q.Filter.OperatorTypes = q.Filter.OperatorTypes[:min(1, len(q.Filter.OperatorTypes))]
		})},
		{"filter: lost false leaves out missing", "filter", without(func(f search.Filter, r record) bool {
			return f.IsLostSession != nil && !*f.IsLostSession && missing(r, "isLostSession")
		})},
		{"filter: unread false leaves out missing", "filter", without(func(f search.Filter, r record) bool {
			return f.HasUnread != nil && !*f.HasUnread && missing(r, "unreadClientMessageCount")
		})},
		{"filter: a count of none is unread", "filter", hooks{match: func(f search.Filter, t terms, r record) bool {
			unread := f.HasUnread
			f.HasUnread = nil
			return r.matches(f) && r.matchesKeyword(t) && (unread == nil || *unread != missing(r, "unreadClientMessageCount"))
		}}},
		{"filter: client id is ignored", "filter", asked(func(q *search.Query) { q.Filter.ClientID = "" })},
		{"filter: NPS has no upper bound", "filter", asked(func(q *search.Query) { q.Filter.NPSMax = nil })},
		{"filter: first answer is exclusive", "filter", without(func(f search.Filter, r record) bool {
			n, ok := r.number("timerFirstAnswer")
			return f.TimerFirstAnswerMin != nil && ok && n == *f.TimerFirstAnswerMin
		})},
		{"filter: closed is ignored", "filter", asked(func(q *search.Query) { q.Filter.Closed = nil })},
		{"filter: closed false matches nothing", "filter", without(func(f search.Filter, _ record) bool {
			return f.Closed != nil && !*f.Closed
		})},
		{"filter: a rating at the least is too low", "filter", without(func(f search.Filter, r record) bool {
			n, ok := r.number("rating")
			return f.RatingMin != nil && ok && n == *f.RatingMin
		})},
		{"filter: a rating at the most is too high", "filter", without(func(f search.Filter, r record) bool {
			n, ok := r.number("rating")
			return f.RatingMax != nil && ok && n == *f.RatingMax
		})},
		{"filter: a missing rating is zero", "filter", hooks{match: func(f search.Filter, t terms, r record) bool {
			least, most := f.RatingMin, f.RatingMax
			f.RatingMin, f.RatingMax = nil, nil
			n, _ := r.number("rating")
			return r.matches(f) && r.matchesKeyword(t) && (least == nil || n >= *least) && (most == nil || n <= *most)
		}}},
		{"filter: minus zero is below zero", "filter", without(func(f search.Filter, r record) bool {
			n, _ := r.number("rating")
			return f.RatingMin != nil && *f.RatingMin == 0 && math.Signbit(n)
		})},
		{"filter: message count is exclusive", "filter", asked(func(q *search.Query) {
			if q.Filter.MinMessageCount > 0 {
				q.Filter.MinMessageCount++
			}
		})},
		{"filter: message count is the client's", "filter", without(func(f search.Filter, r record) bool {
			return r.integer("clientMessageCount") < f.MinMessageCount
		})},
		{"filter: only client messages takes no messages", "filter", asked(func(q *search.Query) {
			q.Filter.OnlyClientMessages = false
		})},
		{"filter: chat id in any case", "filter", hooks{match: insensitive}},
		{"filter: name is ignored", "filter", asked(func(q *search.Query) { q.Filter.Name = "" })},
		{"filter: session id is ignored", "filter", asked(func(q *search.Query) { q.Filter.SessionID = "" })},
		{"filter: bot status is ignored", "filter", asked(func(q *search.Query) { q.Filter.BotStatus = "" })},
	}
}

func listMutants() []mutant {
	tagged := func(has func(tags, wanted string) bool) hooks {
		return hooks{match: func(f search.Filter, t terms, r record) bool {
			wanted := f.Tags
			f.Tags = nil
			return r.matches(f) && r.matchesKeyword(t) && (len(wanted) == 0 ||
				slices.ContainsFunc(wanted, func(tag string) bool { return has(r.text("tags"), tag) }))
		}}
	}
	return []mutant{
		{"list: only the first status", "list", asked(func(q *search.Query) { q.Filter.Status = q.Filter.Status[:min(1, len(q.Filter.Status))] })},
		{"list: only the first operator", "list", asked(func(q *search.Query) {
			q.Filter.OperatorIDs = q.Filter.OperatorIDs[:min(1, len(q.Filter.OperatorIDs))]
		})},
		{"list: none of several messengers leaves out missing", "list", without(func(f search.Filter, r record) bool {
			return len(f.MessengerTypesNot) > 0 && r.values["messengerType"] == nil
		})},
		{"list: no status leaves out missing", "list", without(func(f search.Filter, r record) bool {
			return len(f.StatusNot) > 0 && r.values["status"] == nil
		})},
		{"list: no operator leaves out missing", "list", without(func(f search.Filter, r record) bool {
			return len(f.OperatorIDsNot) > 0 && r.values["operatorId"] == nil
		})},
		{"list: no tag leaves out missing", "list", without(func(f search.Filter, r record) bool {
			return len(f.TagsNot) > 0 && r.values["tags"] == nil
		})},
		{"list: only the first status is left out", "list", asked(func(q *search.Query) {
			q.Filter.StatusNot = q.Filter.StatusNot[:min(1, len(q.Filter.StatusNot))]
		})},
		{"list: no tag is no part of one", "list", without(func(f search.Filter, r record) bool {
			return slices.ContainsFunc(f.TagsNot, func(tag string) bool { return strings.Contains(r.text("tags"), tag) })
		})},
		{"list: messengers are ignored", "list", asked(func(q *search.Query) { q.Filter.MessengerTypes = nil })},
		{"list: tags are substrings", "list", tagged(strings.Contains)},
		{"list: tags are not trimmed", "list", tagged(func(tags, wanted string) bool {
			return slices.Contains(strings.Split(tags, ","), wanted)
		})},
		{"list: tags in any case", "list", tagged(func(tags, wanted string) bool {
			return slices.ContainsFunc(strings.Split(tags, ","), func(tag string) bool {
				return strings.EqualFold(strings.TrimSpace(tag), wanted)
			})
		})},
		{"list: only the first tag", "list", tagged(func(tags, wanted string) bool {
			first, _, _ := strings.Cut(tags, ",")
			return strings.TrimSpace(first) == wanted
		})},
	}
}

func dateMutants() []mutant {
	const ms = 1_000_000
	swapped := func(wanted, instead search.DateField) hooks {
		return asked(func(q *search.Query) {
			if q.Filter.DateField == wanted {
				q.Filter.DateField = instead
			}
		})
	}
	return []mutant{
		{"date: startedAt is createdAt", "date", swapped(search.StartedAt, search.CreatedAt)},
		{"date: closedAt is updatedAt", "date", swapped(search.ClosedAt, search.UpdatedAt)},
		{"date: lastMessageCreatedAt is closedAt", "date", swapped(search.LastMessageCreatedAt, search.ClosedAt)},
		{"date: from is exclusive", "date", asked(func(q *search.Query) {
			if !q.Filter.From.IsZero() {
				q.Filter.From = q.Filter.From.Add(ms)
			}
		})},
		{"date: to is exclusive", "date", asked(func(q *search.Query) {
			if !q.Filter.To.IsZero() {
				q.Filter.To = q.Filter.To.Add(-ms)
			}
		})},
		{"date: seconds only", "date", asked(func(q *search.Query) { q.Filter.From = q.Filter.From.Truncate(1000 * ms) })},
		{"date: always createdAt", "date", asked(func(q *search.Query) { q.Filter.DateField = search.CreatedAt })},
		{"date: always updatedAt", "date", asked(func(q *search.Query) { q.Filter.DateField = search.UpdatedAt })},
		{"date: a missing date is in every range", "date", hooks{match: func(f search.Filter, t terms, r record) bool {
			if r.values["createdAt"] == nil {
				f.From, f.To = epoch.AddDate(-1000, 0, 0), epoch.AddDate(1000, 0, 0)
				f.DateField = search.UpdatedAt
			}
			return r.matches(f) && r.matchesKeyword(t)
		}}},
	}
}

// byWord matches a keyword by a rule for one word.
func byWord(holds func(r record, word string) bool) hooks {
	return hooks{match: func(f search.Filter, t terms, r record) bool {
		if !r.matches(f) {
			return false
		}
		phones := terms{phones: t.phones, words: []string{"\x00"}}
		return r.matchesKeyword(phones) || !slices.ContainsFunc(t.words, func(w string) bool { return !holds(r, w) })
	}}
}

// byField matches a keyword by a rule for one word in one field.
func byField(holds func(folded, word string) bool) hooks {
	return byWord(func(r record, word string) bool {
		return slices.ContainsFunc(searched[:], func(field string) bool { return holds(r.folded[field], word) })
	})
}

func keywordMutants() []mutant {
	spelt := func(from, to string) hooks {
		return hooks{
			session: func(r record) record {
				for field, text := range r.folded {
					r.folded[field] = strings.ReplaceAll(text, from, to)
				}
				return r
			},
			terms: func(t terms) terms {
				return terms{words: strings.Split(strings.ReplaceAll(strings.Join(t.words, " "), from, to), " "), phones: t.phones}
			},
		}
	}
	unfolded := func(replace func(string) string) hooks {
		return hooks{session: func(r record) record {
			for field := range r.folded {
				r.folded[field] = keyword.Fold(replace(r.text(field)))
			}
			return r
		}}
	}
	glob := func(pattern *strings.Replacer) hooks {
		return byField(func(folded, word string) bool {
			return regexp.MustCompile("(?s)" + pattern.Replace(regexp.QuoteMeta(word))).MatchString(folded)
		})
	}
	return []mutant{
		{"keyword: й is и", "script", spelt("й", "и")},
		{"keyword: ё is not е", "script", unfolded(func(s string) string { return strings.NewReplacer("ё", "\ue000", "Ё", "\ue000").Replace(s) })},
		{"keyword: é is not e", "script", unfolded(func(s string) string { return strings.ReplaceAll(s, "é", "\ue000") })},
		{"keyword: decomposed ñ is not ñ", "script", unfolded(func(s string) string { return strings.ReplaceAll(s, "\u0303", "\ue000") })},
		{"keyword: marks of direction count", "script", unfolded(func(s string) string { return strings.ReplaceAll(s, "\u200f", "\ue000") })},
		{"keyword: across fields", "place", byWord(func(r record, word string) bool {
			all := []string{r.folded["name"], r.folded["clientId"], r.folded["whatsappPhone"], r.folded["telegramClientId"]}
			return strings.Contains(strings.Join(all, ""), word)
		})},
		{"keyword: prefixes of fields", "place", byField(strings.HasPrefix)},
		{"keyword: ends of fields", "place", byField(strings.HasSuffix)},
		{"keyword: prefixes of words", "place", byField(func(folded, word string) bool { return strings.Contains(" "+folded, " "+word) })},
		{"keyword: any word", "place", hooks{terms: func(t terms) terms { return terms{words: t.words[:min(1, len(t.words))], phones: t.phones} }}},
		{"keyword: all words in one field", "place", hooks{match: func(f search.Filter, t terms, r record) bool {
			return r.matches(f) && (len(t.words) == 0 || r.matchesKeyword(terms{phones: t.phones, words: []string{"\x00"}}) ||
				slices.ContainsFunc(searched[:], func(field string) bool {
					return !slices.ContainsFunc(t.words, func(w string) bool { return !strings.Contains(r.folded[field], w) })
				}))
		}}},
		{"keyword: short words are dropped", "place", hooks{terms: func(t terms) terms {
			return terms{phones: t.phones, words: slices.DeleteFunc(t.words, func(w string) bool { return len([]rune(w)) < 3 })}
		}}},
		{"keyword: other fields are searched", "place", byWord(func(r record, word string) bool {
			return strings.Contains(r.folded["operatorName"], word) || r.matchesKeyword(terms{words: []string{word}})
		})},
		{"keyword: trigrams are enough", "friend", byField(holdsTrigrams)},
		{"keyword: star and question mark", "syntax", glob(strings.NewReplacer(`\*`, ".*", `\?`, "."))},
		{"keyword: percent and underscore", "syntax", glob(strings.NewReplacer("%", ".*", "_", "."))},
		{"keyword: quotes are dropped", "syntax", hooks{terms: func(t terms) terms {
			return terms{phones: t.phones, words: strings.Fields(strings.ReplaceAll(strings.Join(t.words, " "), `"`, " "))}
		}}},
		{"keyword: 255 characters of a word", "length", hooks{terms: func(t terms) terms {
			for i, w := range t.words {
				t.words[i] = string([]rune(w)[:min(255, len([]rune(w)))])
			}
			return t
		}}},
		{"keyword: 256 characters of a field", "length", hooks{session: func(r record) record {
			for field, text := range r.folded {
				r.folded[field] = string([]rune(text)[:min(256, len([]rune(text)))])
			}
			return r
		}}},
	}
}

func holdsTrigrams(folded, word string) bool {
	letters := []rune(word)
	if len(letters) < 3 {
		return strings.Contains(folded, word)
	}
	for i := range len(letters) - 2 {
		if !strings.Contains(folded, string(letters[i:i+3])) {
			return false
		}
	}
	return true
}

func phoneMutants() []mutant {
	return []mutant{
		{"phone: words only", "phone", hooks{terms: func(t terms) terms { return terms{words: t.words} }}},
		{"phone: 8 is 8", "phone", hooks{terms: func(t terms) terms { return terms{words: t.words, phones: t.phones[:min(1, len(t.phones))]} }}},
		{"phone: digits only", "phone", hooks{terms: func(t terms) terms {
			if len(t.phones) > 0 {
				t.words = []string{"\x00"}
			}
			return t
		}}},
		{"phone: any digits are a phone", "phone", hooks{terms: func(t terms) terms {
			if digits := digitsOf(strings.Join(t.words, " ")); len(digits) >= 4 {
				t.phones = append(t.phones, digits)
			}
			return t
		}}},
		{"phone: in every field", "phone", hooks{match: func(f search.Filter, t terms, r record) bool {
			inClient := func(phone string) bool { return strings.Contains(digitsOf(r.text("clientId")), phone) }
			return r.matches(f) && (r.matchesKeyword(t) || slices.ContainsFunc(t.phones, inClient))
		}}},
		{"phone: the whole phone", "phone", hooks{match: func(f search.Filter, t terms, r record) bool {
			whole := slices.Contains(t.phones, digitsOf(r.text("whatsappPhone")))
			return r.matches(f) && (whole || r.matchesKeyword(terms{words: t.words}))
		}}},
	}
}
