package elastic

import (
	"fmt"

	"github.com/scopegate/scopegate/session"
)

// kind is one of the three sorts of indices.
type kind struct {
	word string
	of   session.Kind
}

func kinds() []kind {
	return []kind{
		{"sessions", session.KindSession},
		{"companies", session.KindCompany},
		{"grants", session.KindGrant},
	}
}

// names are those of one kind of index.
type names struct {
	read, write string // aliases
}

func (s *Store) names(of session.Kind) names {
	for _, k := range kinds() {
		if k.of == of {
			read := s.options.Index + "-" + k.word
			return names{read: read, write: read + "-write"}
		}
	}
	panic(fmt.Sprintf("elastic: change of unknown kind %d", of))
}

// first is the first index of the kind; a migration counts on.
func (n names) first() string { return n.read + "-000001" }
