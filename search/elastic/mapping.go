package elastic

import (
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// Fields of the index that no document contains: Elasticsearch fills them with
// copy_to.
const (
	keywordsField = "keywords" // the folded trigrams of all fields that a keyword searches
	phonesField   = "phones"   // the trigrams of whatsappPhone's digits
	sortSubfield  = ".sort"    // of text that sorts by its folded value
)

// clause is a JSON object.
type clause map[string]any

// exactFields are the strings that filters compare byte by byte, except id.
func exactFields() []string {
	return []string{"chatId", "name", "messengerType", "status", "botStatus", "operatorId", "operatorType", "clientId"}
}

// columnFields are the strings whose exact values are also stored by column, for
// aggregations.
func columnFields() []string {
	return []string{"messengerType", "status", "operatorType", "botStatus", "operatorId", "clientId"}
}

// unsearched is a field that is stored in the document and not indexed. It accepts
// a value of any type without parsing it.
func unsearched() clause { return clause{"type": "object", "enabled": false} }

// sessionMapping is derived from the field catalogue. Like the importer, it refuses
// unknown fields.
func (s *Store) sessionMapping() clause {
	properties := derivedFields()
	properties[keywordsField] = trigrams(keywordAnalyzer)
	properties[phonesField] = trigrams(phoneAnalyzer)
	for _, f := range session.Fields() {
		properties[f.Name] = fieldMapping(f)
	}
	return s.mapping(properties)
}

func (s *Store) mapping(properties clause) clause {
	return clause{
		"dynamic":    "strict",
		"_meta":      clause{"scopegate": newestMark(s.steps)},
		"properties": properties,
	}
}

// trigrams maps a field of trigrams. The words of a query are already folded and
// must not be padded: padding would limit matches to the ends of fields.
func trigrams(analyzer string) clause {
	return clause{"type": "text", "analyzer": analyzer, "search_analyzer": trigramAnalyzer, "norms": false}
}

func fieldMapping(f session.Field) clause {
	sortable := f.SortName != ""
	switch {
	case f.Name == "id":
		return clause{"type": "keyword"}
	case f.Name == "companyId":
		return clause{"type": "integer"}
	case f.Name == "tags":
		// A summary counts by the terms of this text.
		return clause{"type": "text", "analyzer": tagAnalyzer, "norms": false, "index_options": "docs", "fielddata": true}
	case f.Name == "markedAsSpam", f.Name == "clientBanned", f.Name == "isLostSession":
		return clause{"type": "boolean", "doc_values": false}
	case f.Type == session.TypeString:
		return stringMapping(f, sortable)
	case f.Name == "messageCount", f.Name == "rating": // only checked here: see derivedFields
		return clause{"type": numberType(f), "index": false, "doc_values": false}
	case f.Type == session.TypeInteger && (sortable || isRanged(f)):
		return clause{"type": numberType(f), "index": isRanged(f)}
	case sortable && f.Type == session.TypeDate:
		return clause{"type": "date", "format": dateFormat(), "index": isRanged(f)}
	}
	return unsearched()
}

// isRanged reports whether an index of the numbers or dates is worthwhile: a filter
// bounds them, or the default order can use it to skip. Sorting needs columns only.
// So does onlyClientMessages, which matches too many sessions for an index.
func isRanged(f session.Field) bool {
	return slices.Contains([]string{
		"createdAt", "updatedAt", "startedAt", "closedAt", "lastMessageCreatedAt",
		"nps", "timerFirstAnswer", "unreadClientMessageCount",
	}, f.Name)
}

func numberType(f session.Field) string {
	if f.Type == session.TypeInteger {
		return "long"
	}
	return "double"
}

// dateFormat accepts RFC 3339 with up to nine digits of a fraction, as
// search.ParseDate does; faultsScript finds years outside its range. Shards send
// each other sort positions in the first format, so it must represent any long,
// including the value for a missing date. Importers write it too.
func dateFormat() string {
	const most = 9
	fractions := []string{".SSS", ""}
	for n := 1; n <= most; n++ {
		if n != len("SSS") {
			fractions = append(fractions, "."+strings.Repeat("S", n))
		}
	}
	formats := make([]string, len(fractions))
	for i, fraction := range fractions {
		formats[i] = "uuuu-MM-dd'T'HH:mm:ss" + fraction + "XXX"
	}
	return strings.Join(formats, "||")
}

func stringMapping(f session.Field, sortable bool) clause {
	exact := slices.Contains(exactFields(), f.Name)
	var copies []string
	if slices.Contains(keyword.Fields(), f.Name) {
		copies = append(copies, keywordsField)
	}
	if f.Name == "whatsappPhone" {
		copies = append(copies, phonesField)
	}
	if !exact && !sortable && copies == nil {
		return unsearched()
	}
	m := clause{
		"type": "keyword", "ignore_above": maxTerm,
		"index": exact, "doc_values": slices.Contains(columnFields(), f.Name),
	}
	if copies != nil {
		m["copy_to"] = copies
	}
	if sortable {
		m["fields"] = clause{sortSubfield[1:]: clause{
			"type": "keyword", "normalizer": foldedNormalizer, "ignore_above": maxTerm, "index": false,
		}}
	}
	return m
}

// companyMapping and grantMapping make Elasticsearch refuse objects, fractions and
// numbers in quotes, where it can. tenancy.RepairCompany and DecodeGrant handle
// what it accepts all the same.
func (s *Store) companyMapping() clause {
	return s.mapping(clause{"id": clause{"type": "integer"}, "name": notIndexed("keyword"), "parentId": notIndexed("integer")})
}

func (s *Store) grantMapping() clause {
	return s.mapping(clause{"issuer": notIndexed("keyword"), "subject": notIndexed("keyword"), "companyId": clause{"type": "integer"}})
}

// notIndexed is a field whose values are checked and stored in the document only.
func notIndexed(kind string) clause { return clause{"type": kind, "index": false, "doc_values": false} }

// mappingOf returns this program's mapping of a kind of index.
func (s *Store) mappingOf(of session.Kind) clause {
	switch of {
	case session.KindCompany:
		return s.companyMapping()
	case session.KindGrant:
		return s.grantMapping()
	}
	return s.sessionMapping()
}

// definition returns the body of the request that creates the first index of a
// kind.
func (s *Store) definition(of session.Kind) clause {
	settings := clause{
		"number_of_shards":   1,
		"number_of_replicas": s.options.Replicas,
		// A fraction for an integer, or a number in quotes, is refused: otherwise
		// the searched value would differ from the returned one.
		"mapping.coerce": false,
	}
	if d := s.options.RefreshInterval; d > 0 {
		settings["refresh_interval"] = strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	}
	n := s.names(of)
	body := clause{"settings": clause{"index": settings}, "aliases": clause{n.read: clause{}, n.write: clause{"is_write_index": true}}}
	if of == session.KindSession {
		settings["number_of_shards"] = s.options.Shards
		settings["max_terms_count"] = maxTerms
		settings["analysis"] = analysis(s.steps.Newest().Folding)
	}
	body["mappings"] = s.mappingOf(of)
	return body
}
