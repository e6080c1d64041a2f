package download

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
)

// Query holds the parameters of an export by the names that the gateway
// knows, each a value that encoding/json writes as the body wants it.
type Query map[string]any

// body is the JSON of the request.
func (q Query) body() ([]byte, error) { return json.Marshal(map[string]any(q)) }

// digest tells queries apart without showing what they ask for.
func (q Query) digest() (string, error) {
	body, err := q.body() // encoding/json sorts the names
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), err
}

// behind asks for what is left behind the rows that are there already, the last
// of which has the id. Where to start is told by the id alone, and of a limit the
// rest is left; nothing is when ok is false.
func (q Query) behind(id string, rows int64) (rest Query, ok bool) {
	rest = maps.Clone(q)
	for _, start := range []string{"offset", "offsetField", "offsetValue"} {
		delete(rest, start)
	}
	rest["resumeAfter"] = id
	limit, limited := q["limit"].(int64)
	if limited {
		rest["limit"] = limit - rows
	}
	return rest, !limited || rows < limit
}

// rows is how many an answer has of all that match; ok is false when that cannot
// be told.
func (q Query) rows(total int64) (n int64, ok bool) {
	_, from := q["offsetField"]
	_, behind := q["resumeAfter"]
	offset, _ := q["offset"].(int64)
	n = max(total-offset, 0)
	if limit, limited := q["limit"].(int64); limited {
		n = min(n, limit)
	}
	return n, !from && !behind
}

// OrderOf is the order of the ids that a query asks for.
func OrderOf(q Query) Order {
	sort, ok := q["sort"].([]string)
	switch {
	case !ok:
		return Ascending
	case len(sort) == 0:
		return ByOther
	}
	switch sort[0] {
	case idField, "+" + idField:
		return Ascending
	case "-" + idField:
		return Descending
	}
	return ByOther
}
