package elastic

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/session"
)

// Fields that a script in Elasticsearch computes when it indexes a document. A
// document that contains one of them itself is refused.
const (
	sumField    = "messageSum"  // messageCount: the sum of the three counts
	ratingField = "ratingOrder" // rating, with -0 as 0
	faultsField = "faults"      // names of the fields that make a document unfit as a session
)

// reservedFields are filled by copy_to. A document that contains one of them itself
// would be found by values that its row does not show.
func reservedFields() []string { return []string{keywordsField, phonesField} }

// column returns the field of the index by which a field of a session is searched
// and sorted.
func column(f session.Field) string {
	switch {
	case f.Name == "messageCount":
		return sumField
	case f.Name == "rating":
		return ratingField
	case f.Type == session.TypeString && f.Name != "id" && f.SortName != "":
		return f.Name + sortSubfield
	}
	return f.Name
}

func derivedFields() clause {
	return clause{
		sumField:    clause{"type": "long", "script": clause{"source": scriptHelpers + sumScript}},
		ratingField: clause{"type": "double", "script": clause{"source": scriptHelpers + ratingScript}},
		faultsField: clause{"type": "keyword", "script": clause{"source": scriptHelpers + faultsScript()}},
	}
}

// List has the values in a field, however deeply nested, without nulls, as
// Elasticsearch indexes them. value returns the value of a field: null when there
// is none, a List when there are several.
const scriptHelpers = `
void collect(def v, List to) {
  if (v instanceof List) { for (def e : v) { collect(e, to) } }
  else if (v != null) { to.add(v) }
}
def value(def v) {
  if (!(v instanceof List)) { return v }
  List all = new ArrayList();
  collect(v, all);
  if (all.size() == 0) { return null }
  return all.size() == 1 ? all.get(0) : all;
}
`

// sumScript stops at the largest long, as session.Complete does.
const sumScript = `
long plus(long sum, def v) {
  if (!(v instanceof Number)) { return sum }
  long n = ((Number) v).longValue();
  if (n > 0 && sum > Long.MAX_VALUE - n) { return Long.MAX_VALUE }
  if (n < 0 && sum < Long.MIN_VALUE - n) { return Long.MIN_VALUE }
  return sum + n;
}
Map source = params._source;
long sum = plus(0L, value(source['clientMessageCount']));
sum = plus(sum, value(source['operatorMessageCount']));
emit(plus(sum, value(source['botMessageCount'])));
`

// ratingScript adds 0, which turns -0 into 0.
const ratingScript = `
def v = value(params._source['rating']);
if (v instanceof Number) { emit(((Number) v).doubleValue() + 0.0) }
`

// faultsScript finds values that Elasticsearch indexes differently from what a row
// could show: several values; invalid UTF-8; a decimal number in a text field,
// since its own text may be lost (see rewritten); dates outside the years 1 to
// 9999. It also finds an id that is not the document's _id, since ids must be
// unique, and a routing, which would allow two documents with one id.
//
// It scans text in parts: a script may repeat a loop a million times, and a field
// may have more characters (CompilerSettings.getMaxLoopCounter of Painless).
func faultsScript() string {
	var singles, texts, dates []string
	for _, f := range session.Fields() {
		switch {
		case f.Name == "id", f.Name == "companyId", fieldMapping(f)["enabled"] == false:
		case f.Type == session.TypeString:
			texts = append(texts, f.Name)
		case f.Type == session.TypeDate:
			dates = append(dates, f.Name)
		default:
			singles = append(singles, f.Name)
		}
	}
	return strings.NewReplacer(
		"SINGLES", quoted(singles), "TEXTS", quoted(texts), "DATES", quoted(dates), "RESERVED", quoted(reservedFields()),
	).Replace(faultsTemplate)
}

func quoted(names []string) string {
	names = slices.Clone(names)
	for i, name := range names {
		names[i] = "'" + name + "'"
	}
	return "[" + strings.Join(names, ",") + "]"
}

const faultsTemplate = `
boolean isPartText(String s, int from, int to) {
  for (int i = from; i < to; i++) {
    int c = s.charAt(i);
    if (c < 0xd800 || c > 0xdfff) { continue }
    if (c <= 0xdbff) {
      if (i + 1 == s.length() || s.charAt(i + 1) < 0xdc00 || s.charAt(i + 1) > 0xdfff) { return false }
    } else if (i == 0 || s.charAt(i - 1) < 0xd800 || s.charAt(i - 1) > 0xdbff) { return false }
  }
  return true;
}
boolean isText(String s) {
  int part = 100000;
  for (int i = 0; i < s.length(); i += part) {
    if (!isPartText(s, i, (int) Math.min(i + part, s.length()))) { return false }
  }
  return true;
}
boolean isID(String s, String own) {
  if (!s.equals(own)) { return false }
  for (int i = 0; i < s.length(); i++) {
    int c = s.charAt(i);
    if (c < 0x20 || c >= 0x7f && c <= 0x9f) { return false }
  }
  return true;
}
boolean isInRange(String date) {
  if (date.startsWith('+') || date.startsWith('-') || date.startsWith('0000')) { return false }
  if (date.endsWith('Z') || !date.startsWith('0001-01-01') && !date.startsWith('9999-12-31')) { return true }
  int year = ZonedDateTime.parse(date).withZoneSameInstant(ZoneOffset.UTC).getYear();
  return year >= 1 && year <= 9999;
}
Map source = params._source;
def id = value(source['id']);
if (id == null || id instanceof List || !isID(id.toString(), params._fields['_id'].value)) { emit('id') }
if (params._fields['_routing'].value != null) { emit('_routing') }
def company = value(source['companyId']);
if (!(company instanceof Number) || ((Number) company).longValue() < 1) { emit('companyId') }
for (name in SINGLES) {
  if (value(source[name]) instanceof List) { emit(name) }
}
for (name in TEXTS) {
  def v = value(source[name]);
  if (v instanceof List || v instanceof Double || v instanceof String && !isText((String) v)) { emit(name) }
}
for (name in DATES) {
  def v = value(source[name]);
  if (v instanceof List || v instanceof String && !isInRange((String) v)) { emit(name) }
}
for (name in RESERVED) {
  if (source.containsKey(name)) { emit(name) }
}
`
