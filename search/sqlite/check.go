package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/reason"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/schema"
	"github.com/scopegate/scopegate/session"
)

// errDamaged reports that SQLite found the file to be damaged.
var errDamaged = fmt.Errorf("sqlite: %w: %w", search.ErrUnavailable, reason.Text("the file is damaged"))

const (
	maxFaults  = 20   // faults that Check returns at most
	termSample = 1000 // sessions that are looked up in the text index
)

// Check verifies the folder's database, as it is at one moment: its pages and
// indexes, each session's document against the columns that searches read, tags,
// counts, the text index, and the numbers by which gateways learn of changes. It
// returns what is wrong, at most twenty faults, which name keys and never values.
// An empty list means that the database is intact. For a folder of an older schema
// only the pages are checked.
//
// Errors: as OpenArchive; search.ErrUnavailable; the context's error.
func Check(ctx context.Context, dir string) (faults []string, err error) {
	a, err := OpenArchive(ctx, dir)
	if err != nil {
		return nil, err
	}
	err = a.readers.use(ctx, func(r *reader) error {
		return r.snapshot(ctx, func() (err error) {
			if faults, err = integrity(ctx, r); err != nil || len(faults) > 0 {
				return err
			}
			faults, err = checkContent(ctx, r)
			return err
		})
	})
	if closing := a.Close(); err == nil {
		err = closing
	}
	return faults, err
}

// integrity runs SQLite's own checks, including that of the text index.
func integrity(ctx context.Context, r *reader) (faults []string, err error) {
	err = r.each(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFaults), nil, func(rows *sql.Rows) error {
		var line string
		err := rows.Scan(&line)
		if line != "ok" {
			faults = append(faults, line)
		}
		return err
	})
	return faults, err
}

func checkContent(ctx context.Context, r *reader) ([]string, error) {
	version, err := userVersion(ctx, r.conn)
	if err != nil {
		return nil, err
	}
	steps := schema.Steps()
	if version != steps.Newest().Schema {
		return nil, nil
	}
	if err := checkFold(ctx, r.conn, steps); errors.Is(err, ErrOutdated) {
		return nil, nil // the layout of an older schema is not known
	} else if err != nil {
		return nil, err
	}
	c := checking{r: r}
	for _, step := range []func(context.Context) error{c.sessions, c.counted, c.textIndex} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c.faults, nil
}

type checking struct {
	r      *reader
	faults []string
}

func (c *checking) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// sessions compares each session's columns and tags with its document.
func (c *checking) sessions(ctx context.Context) error {
	columns := columnNames()
	query := "SELECT s.key, d.doc, s." + strings.Join(columns, ", s.") +
		", (SELECT count(*) FROM session_tags t WHERE t.key = s.key AND instr(s.tags, ',' || t.tag || ',') > 0)" +
		" FROM sessions AS s JOIN documents AS d ON d.key = s.key"
	return c.r.each(ctx, query, nil, func(rows *sql.Rows) error {
		var key, tags int64
		var document []byte
		stored := make([]any, len(columns))
		into := []any{&key, &document}
		for i := range stored {
			into = append(into, &stored[i])
		}
		if err := rows.Scan(append(into, &tags)...); err != nil {
			return err
		}
		doc, err := session.Parse(document)
		if err != nil {
			return nil //nolint:nilerr // stored by an earlier version, whose rules are not known
		}
		for i, want := range columnValues(doc) {
			if !sameValue(want, stored[i]) {
				c.fault("session of key %d: column %s is not what its document says", key, columns[i])
			}
		}
		if want := len(doc.Tags()); int64(want) != tags {
			c.fault("session of key %d: %d of its %d tags are indexed", key, tags, want)
		}
		return nil
	})
}

// sameValue compares a value to be written to a column with the value read from it.
func sameValue(written, read any) bool {
	switch w := written.(type) {
	case bool:
		n, ok := read.(int64)
		return ok && (n == 1) == w
	case float64:
		n, ok := read.(float64)
		return ok && n == w
	case string:
		text, ok := read.(string)
		return ok && text == w
	case nil:
		return read == nil
	}
	number := reflect.ValueOf(written)
	n, ok := read.(int64)
	switch {
	case number.CanInt():
		return ok && number.Int() == n
	case number.CanUint():
		return ok && n >= 0 && number.Uint() == uint64(n)
	}
	return false
}

// counted compares data that is stored twice.
func (c *checking) counted(ctx context.Context) error {
	for _, check := range []struct{ fault, query string }{
		{"%d sessions have no document", "SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.key = s.key)"},
		{"%d documents have no session", "SELECT count(*) FROM documents d WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.key = d.key)"},
		{"%d companies have another number of sessions than is noted", `SELECT count(*) FROM (
			SELECT company_id, sum(n) AS n FROM (
				SELECT company_id, count(*) AS n FROM sessions GROUP BY company_id
				UNION ALL SELECT company_id, -sessions FROM company_counts
			) GROUP BY company_id HAVING sum(n) <> 0)`},
		{"%d tags are of no session, or of one that does not have them", `SELECT count(*) FROM session_tags t
			LEFT JOIN sessions s ON s.key = t.key WHERE s.key IS NULL OR s.tags IS NULL OR instr(s.tags, ',' || t.tag || ',') = 0`},
		{"%d sessions are not in the text index", "SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM session_terms_docsize t WHERE t.id = s.key)"},
		{"%d entries of the text index are of no session", "SELECT count(*) FROM session_terms_docsize t WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.key = t.id)"},
		{"%d rows of the invalidations are of no company or no transaction", "SELECT count(*) FROM touches WHERE company_id < 0 OR sequence < 1"},
		{"%d rows name the life of the invalidations, there must be 1", "SELECT count(*) FROM meta WHERE name = '" + epochMark + "' AND value <> '' HAVING count(*) <> 1"},
		{"%d rows number the changes of the directory, there must be 1", "SELECT count(*) FROM revisions WHERE name = 'directory' HAVING count(*) <> 1"},
	} {
		err := c.r.each(ctx, check.query, nil, func(rows *sql.Rows) error {
			var n int64
			err := rows.Scan(&n)
			if n > 0 || strings.Contains(check.query, "HAVING count(*)") {
				c.fault(check.fault, n)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// textIndex looks up some sessions by the beginning of their text.
func (c *checking) textIndex(ctx context.Context) error {
	type sampled struct {
		key  int64
		text string
	}
	var sample []sampled
	const query = "SELECT key, words FROM sessions WHERE length(words) >= 3 ORDER BY random() LIMIT ?"
	err := c.r.each(ctx, query, []any{termSample}, func(rows *sql.Rows) error {
		var s sampled
		err := rows.Scan(&s.key, &s.text)
		sample = append(sample, s)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range sample {
		if !utf8.ValidString(s.text) { // see uncarried
			continue
		}
		begin := []rune(s.text)
		begin = begin[:min(len(begin), maxPhrase)]
		phrase := `words : "` + strings.ReplaceAll(string(begin), `"`, `""`) + `"`
		found, err := c.r.number(ctx, "SELECT count(*) FROM session_terms WHERE session_terms MATCH ? AND rowid = ?", phrase, s.key)
		if err != nil {
			return err
		}
		if found == 0 {
			c.fault("session of key %d is not found by its text", s.key)
		}
	}
	return nil
}
