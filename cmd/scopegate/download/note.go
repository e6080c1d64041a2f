package download

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// note is what is known of a part besides its bytes. Rows of another query,
// gateway or account are not those that are missing from it.
type note struct {
	Query     string `json:"question"`  // its digest
	Gateway   string `json:"gateway"`   // its URL
	Account   string `json:"account"`   // see accountOf
	Snapshots int    `json:"snapshots"` // that the rows are of
}

// maxNote is more than a note ever has, in bytes.
const maxNote = 1 << 16

// readNote reads the note of a part.
//
// Errors: ErrExists, ErrOtherExport.
func readNote(path string) (note, error) {
	file, err := openPlain(noteOf(path), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return note{}, otherExport(path, noteOf(path)+", which says what it is a part of, is not there")
	}
	if err != nil {
		return note{}, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxNote))
	if err := errors.Join(err, file.Close()); err != nil {
		return note{}, err
	}
	var n note
	if json.Unmarshal(text, &n) != nil || n.Snapshots < 1 {
		return note{}, otherExport(path, noteOf(path)+" is broken")
	}
	return n, nil
}

// check is nil when the part that has the note is one of what is asked for.
//
// Errors: ErrOtherExport.
func (n note) check(path string, requested note) error {
	switch {
	case n.Query != requested.Query:
		return otherExport(path, "it was asked for with other filters, fields or format")
	case n.Gateway == "" || n.Account == "":
		return otherExport(path, "it is of an older version, which did not note gateway and account")
	}
	gateway := fmt.Sprintf("it was fetched from another gateway: from %s, and not from %s", printable(n.Gateway), requested.Gateway)
	account := "it was fetched by another account (issuer, subject, company, roles or another claim of the token differ)"
	if opaque(n.Account) || opaque(requested.Account) {
		account = "it was fetched with another token, and of a token that is no JWT the account is not known"
	}
	switch {
	case n.Gateway != requested.Gateway && n.Account != requested.Account:
		return otherExport(path, gateway+"; and "+account)
	case n.Gateway != requested.Gateway:
		return otherExport(path, gateway)
	case n.Account != requested.Account:
		return otherExport(path, account)
	}
	return nil
}

func otherExport(path, why string) error {
	return fmt.Errorf("%s %w: %s; repeat the export as it was begun, name another file, or begin anew with --force and without --resume",
		partOf(path), ErrOtherExport, why)
}
