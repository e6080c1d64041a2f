package tenancy

import (
	"encoding/binary"
	"sync"
)

// Bounds of the scopes that a snapshot remembers. A small scope is made faster than
// it is looked up. Memory is taken by the ids, not by the scopes.
const (
	memoWorth  = 64
	memoMaxIDs = 1 << 21
)

// scopeMemo remembers scopes by their spans: supervisors of one branch share
// them. The zero scopeMemo is empty.
type scopeMemo struct {
	mu     sync.Mutex
	scopes map[string]*remembered
	ids    int
}

type remembered struct {
	scope     Scope
	heads     []CompanyID // whose subtrees it is; none: not only of subtrees
	requested bool        // by a caller, not made in advance
}

func (m *scopeMemo) get(key string) (Scope, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.scopes[key]
	if !ok {
		return Scope{}, false
	}
	r.requested = true
	return r.scope, true
}

// put drops others, whichever, to stay within bounds.
func (m *scopeMemo) put(key string, r *remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, double := m.scopes[key]; double {
		return
	}
	if m.scopes == nil {
		m.scopes = make(map[string]*remembered)
	}
	m.scopes[key] = r
	m.ids += r.scope.Len()
	for other, old := range m.scopes {
		if m.ids <= memoMaxIDs {
			break
		}
		if other != key {
			delete(m.scopes, other)
			m.ids -= old.scope.Len()
		}
	}
}

// requested lists the heads of the scopes that callers requested.
func (m *scopeMemo) requested() [][]CompanyID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all [][]CompanyID
	for _, r := range m.scopes {
		if r.requested && len(r.heads) > 0 {
			all = append(all, r.heads)
		}
	}
	return all
}

// clearRequested clears the marks, so that the next snapshot warms only the scopes
// that are requested from now on.
func (m *scopeMemo) clearRequested() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.scopes {
		r.requested = false
	}
}

// spansKey is equal exactly for equal spans.
func spansKey(spans []span) string {
	key := make([]byte, 0, 8*len(spans))
	for _, s := range spans {
		key = binary.BigEndian.AppendUint32(key, uint32(s.from))
		key = binary.BigEndian.AppendUint32(key, uint32(s.to))
	}
	return string(key)
}
