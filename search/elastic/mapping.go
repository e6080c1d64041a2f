package elastic

import (
	"slices"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/search/keyword"
	"github.com/scopegate/scopegate/session"
)

// schemaVersion changes with the mapping or the analysis: an index of another
// version is not searched.
const schemaVersion = 2

// Fields of the index that no document has: they are copied together.
const (
	keywordsField = "keywords" // the folded trigrams of all fields that a keyword searches
	phonesField   = "phones"   // the trigrams of whatsappPhone's digits
	sortSubfield  = ".sort"    // of text that sorts by its folded value
)

// clause is a JSON object.
type clause map[string]any

// exactFields are the strings that filters compare byte by byte; id aside.
func exactFields() []string {
	return []string{"chatId", "name", "messengerType", "status", "botStatus", "operatorId", "operatorType"}
}

// columnFields are the strings whose exact values are also kept by column, for
// what groups by them.
func columnFields() []string {
	return []string{"messengerType", "status", "operatorType", "clientId"}
}

// unsearched is a field that is stored in the document and nowhere else. It
// takes a value of any type, without reading it.
func unsearched() clause { return clause{"type": "object", "enabled": false} }

// sessionMapping is derived from the field catalogue. Unknown fields are
// refused, as by the importer.
func sessionMapping() clause {
	properties := derivedFields()
	properties[keywordsField] = trigrams(keywordAnalyzer)
	properties[phonesField] = trigrams(phoneAnalyzer)
	for _, f := range session.Fields() {
		properties[f.Name] = fieldMapping(f)
	}
	return mapping(properties)
}

func mapping(properties clause) clause {
	return clause{
		"dynamic":    "strict",
		"_meta":      clause{"scopegate": thisSchema()},
		"properties": properties,
	}
}

// trigrams are searched for whole words of the query: those are folded, and
// padding would make them match at ends only.
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
		return clause{"type": "text", "analyzer": tagAnalyzer, "norms": false, "index_options": "docs"}
	case f.Name == "markedAsSpam", f.Name == "clientBanned":
		return clause{"type": "boolean", "doc_values": false}
	case f.Type == session.TypeString:
		return stringMapping(f, sortable)
	case f.Name == "messageCount", f.Name == "rating": // checked only: see derivedFields
		return clause{"type": numberType(f), "index": false, "doc_values": false}
	case sortable && f.Type == session.TypeInteger:
		return clause{"type": numberType(f), "index": isRanged(f)}
	case sortable && f.Type == session.TypeDate:
		return clause{"type": "date", "format": dateFormat(), "index": isRanged(f)}
	}
	return unsearched()
}

// isRanged reports whether an index of the numbers or dates pays: where a filter
// bounds them, or the default order can skip by them. Sorting needs columns
// only, and so does onlyClientMessages, which matches too much to look up.
func isRanged(f session.Field) bool {
	return slices.Contains([]string{"createdAt", "updatedAt", "startedAt"}, f.Name)
}

func numberType(f session.Field) string {
	if f.Type == session.TypeInteger {
		return "long"
	}
	return "double"
}

// dateFormat is RFC 3339, with up to nine digits of a fraction, which is what
// search.ParseDate reads; years that it takes beyond that, faultsScript finds.
// Shards write to each other by the first form how far they have sorted: it must
// hold any long, as what stands for a missing date. It is what importers write
// too.
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

// companyMapping and grantMapping have Elasticsearch refuse objects, fractions and
// numbers that are text, where they can be. What it takes all the same is for
// tenancy.RepairCompany and DecodeGrant.
func companyMapping() clause {
	return mapping(clause{"id": clause{"type": "integer"}, "name": kept("keyword"), "parentId": kept("integer")})
}

func grantMapping() clause {
	return mapping(clause{"issuer": kept("keyword"), "subject": kept("keyword"), "companyId": clause{"type": "integer"}})
}

// kept is a field whose values are checked, and stored in the document only.
func kept(kind string) clause { return clause{"type": kind, "index": false, "doc_values": false} }

// schema is what the metadata of an index says about it.
type schema struct {
	Version int    `json:"schema"`
	Folding string `json:"folding"` // see keyword.FoldFingerprint
}

func thisSchema() schema {
	return schema{Version: schemaVersion, Folding: keyword.FoldFingerprint()}
}

// definition is the body that makes the first index of a kind.
func (s *Store) definition(of session.Kind) clause {
	settings := clause{
		"number_of_shards":   1,
		"number_of_replicas": s.options.Replicas,
		// A fraction for an integer, or a number as text, is refused rather than
		// searched as something else than is returned.
		"mapping.coerce": false,
	}
	if d := s.options.RefreshInterval; d > 0 {
		settings["refresh_interval"] = strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	}
	n := s.names(of)
	body := clause{"settings": clause{"index": settings}, "aliases": clause{n.read: clause{}, n.write: clause{"is_write_index": true}}}
	switch of {
	case session.KindSession:
		settings["number_of_shards"] = s.options.Shards
		settings["max_terms_count"] = maxTerms
		settings["analysis"] = analysis()
		body["mappings"] = sessionMapping()
	case session.KindCompany:
		body["mappings"] = companyMapping()
	case session.KindGrant:
		body["mappings"] = grantMapping()
	}
	return body
}
