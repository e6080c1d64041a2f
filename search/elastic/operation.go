package elastic

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

// operation is a change in Elasticsearch's terms: one document to store or to
// delete.
type operation struct {
	place
	nth    int    // index among the changes that it is one of
	source []byte // nil: delete
	// seen is the version to be replaced, or absent if the document must not exist;
	// otherwise the write is a conflict. nil: any version. A write that succeeds
	// stores its own version in it.
	seen *revision
	// external, if not 0, is the version that the document shall have; a document that
	// has this version or a later one already stays as it is.
	external int64
	// first, if set, receives where the operation was executed.
	first *firstWrite
}

// firstWrite tells where an operation was executed. The zero value means: not yet.
type firstWrite struct {
	index string
	seqNo int64
}

// externalVersion is the version, in the second index, of a document that has a
// sequence number in the first one. Sequence numbers of a document only ever grow,
// also when it is deleted and made again, which is not true of its versions.
func externalVersion(seqNo int64) int64 { return seqNo + 1 }

// revision distinguishes the states of one document, whoever writes. See
// https://www.elastic.co/guide/en/elasticsearch/reference/8.19/optimistic-concurrency-control.html
type revision struct {
	SeqNo int64 `json:"_seq_no"`
	Term  int64 `json:"_primary_term"` // 0: no document; real terms begin with 1
}

// place identifies a document.
type place struct {
	index, id string
	routing   string // "": none, as for all that we write ourselves
}

func (s *Store) operation(c session.Change) (operation, error) {
	op := operation{place: place{index: s.names(c.Kind).write}}
	var err error
	switch c.Kind {
	case session.KindSession:
		if op.id = c.SessionID; !c.Delete {
			op.id, op.source = c.Session.ID(), c.Session.JSON()
		}
	case session.KindCompany:
		op.id = strconv.FormatUint(uint64(c.Company.ID), 10)
		op.source, err = companySource(c.Company)
	case session.KindGrant:
		op.id = grantID(c.Grant)
		op.source, err = json.Marshal(grantDocument{c.Grant.Account.Issuer, c.Grant.Account.Subject, c.Grant.CompanyID})
	}
	if c.Delete {
		op.source = nil
	}
	return op, err
}

// companySource and grantDocument write what tenancy.DecodeCompany and DecodeGrant
// read.
func companySource(c tenancy.Company) ([]byte, error) {
	doc := struct {
		ID       tenancy.CompanyID  `json:"id"`
		Name     string             `json:"name"`
		ParentID *tenancy.CompanyID `json:"parentId"`
	}{ID: c.ID, Name: c.Name}
	if c.ParentID != 0 {
		doc.ParentID = &c.ParentID
	}
	return json.Marshal(doc)
}

type grantDocument struct {
	Issuer    string            `json:"issuer"`
	Subject   string            `json:"subject"`
	CompanyID tenancy.CompanyID `json:"companyId"`
}

// grantID is a digest of the grant. A grant is its own identity, but ids must be
// short and appear in Elasticsearch's logs.
func grantID(g tenancy.Grant) string {
	hash := sha256.New()
	for _, part := range []string{g.Account.Issuer, g.Account.Subject, strconv.FormatUint(uint64(g.CompanyID), 10)} {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// size estimates the operation's size in a request, in bytes.
func (op operation) size() int {
	return len(op.source) + len(op.id) + len(op.index) + len(op.routing) + 150
}

// verb is the operation's name in a bulk request and in its answer.
func (op operation) verb() string {
	switch {
	case op.source == nil:
		return "delete"
	case op.seen != nil && op.seen.Term == 0:
		return "create"
	}
	return "index"
}

// write appends the operation's lines.
func (op operation) write(b *bytes.Buffer) error {
	id, err := jsontext.AppendQuote(nil, op.id)
	if err != nil {
		return fmt.Errorf("elasticsearch: %w: an id is no UTF-8", errRefused)
	}
	b.WriteString(`{"` + op.verb() + `":{"_index":"` + op.index + `","_id":`)
	b.Write(id)
	if op.seen != nil && op.seen.Term != 0 {
		fmt.Fprintf(b, `,"if_seq_no":%d,"if_primary_term":%d`, op.seen.SeqNo, op.seen.Term)
	}
	if op.routing != "" {
		routing, err := jsontext.AppendQuote(nil, op.routing)
		if err != nil {
			return fmt.Errorf("elasticsearch: %w: a routing is no UTF-8", errRefused)
		}
		b.WriteString(`,"routing":`)
		b.Write(routing)
	}
	if op.external != 0 {
		fmt.Fprintf(b, `,"version":%d,"version_type":"external"`, op.external)
	}
	b.WriteString("}}\n")
	if op.source != nil {
		b.Write(op.source)
		b.WriteByte('\n')
	}
	return nil
}

// wrote stores the document's new version in seen, and where it was written.
func (op operation) wrote(index string, v revision) {
	if op.first != nil {
		*op.first = firstWrite{index: index, seqNo: v.SeqNo}
	}
	switch {
	case op.seen == nil:
	case op.source == nil:
		*op.seen = revision{}
	default:
		*op.seen = v
	}
}

// rounds divides the operations where a document occurs again. Within a round they
// may be sent and repeated in any order; the rounds run one after another.
func rounds(ops []operation) [][]operation {
	var all [][]operation
	seen := make(map[place]bool, len(ops))
	from := 0
	for i, op := range ops {
		if seen[op.place] {
			all = append(all, ops[from:i])
			from = i
			clear(seen)
		}
		seen[op.place] = true
	}
	return append(all, ops[from:])
}

// portions divides a round among the workers; each portion is within the limits.
func (s *Store) portions(round []operation) [][]operation {
	lines := max((len(round)+s.options.Workers-1)/s.options.Workers, s.limits.bulkLines)
	var all [][]operation
	from, size := 0, 0
	for i, op := range round {
		if i > from && (i-from == lines || size+op.size() > s.limits.bulkBytes) {
			all = append(all, round[from:i])
			from, size = i, 0
		}
		size += op.size()
	}
	return append(all, round[from:])
}
