package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
)

// firstSeeded is the id of the first company that `scopegate seed` makes.
const firstSeeded = 1000

var errSeedLine = errors.New("a generated line is not as expected")

// spread reads the lines of `scopegate seed` and writes the sessions among them,
// moved from each of its companies to one of a district of ours: the generated
// companies are too few for the scopes to be measured.
func spread(w *bufio.Writer, seeded io.Reader) error {
	lines := bufio.NewScanner(seeded)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	var line []byte
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), []byte(`{"type":"session"`)) {
			continue
		}
		var err error
		if line, err = move(line[:0], lines.Bytes()); err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), w.Flush())
}

// move appends the session's line to buf with another company in it. Which one
// depends on the session's id alone.
func move(buf, line []byte) ([]byte, error) {
	head, rest, ok1 := bytes.Cut(line, []byte(`"companyId":`))
	number, rest, ok2 := bytes.Cut(rest, []byte(`,"companyName":"`))
	_, rest, ok3 := bytes.Cut(rest, []byte(`",`))
	seeded, err := strconv.Atoi(string(number))
	district := seeded - firstSeeded
	if !ok1 || !ok2 || !ok3 || err != nil || district < 0 || district >= districts {
		return nil, fmt.Errorf("%w: %.120s", errSeedLine, line)
	}
	hash := fnv.New32a()
	_, _ = hash.Write(head) // holds the id; a hash takes all
	id := companyID(district, int(hash.Sum32()%districtSize))
	buf = append(buf, head...)
	buf = fmt.Appendf(buf, `"companyId":%d,"companyName":%q,`, id, companyName(id))
	return append(buf, rest...), nil
}
