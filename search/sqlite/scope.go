package sqlite

import (
	"context"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/tenancy"
)

const scopeTable = "(SELECT id FROM temp.scope)"

// scopeSet is a tenant scope as the right side of IN on one connection. The zero
// scopeSet has no scope, and no statement can be built with it.
type scopeSet struct {
	sql  string
	size int
}

// bind makes the scope usable on the connection. It must not run inside a
// transaction: a rollback would also undo the scope's table.
func (r *reader) bind(ctx context.Context, scope tenancy.Scope, inline int) (scopeSet, error) {
	if n := scope.Len(); n <= inline {
		return scopeSet{sql: "(" + joinCompanies(scope) + ")", size: n}, nil
	}
	set := scopeSet{sql: scopeTable, size: scope.Len()}
	if r.scope == scope.Fingerprint() {
		return set, nil
	}
	r.scope = tenancy.Fingerprint{}
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{sql: "CREATE TABLE IF NOT EXISTS temp.scope (id INTEGER PRIMARY KEY) STRICT"},
		{sql: "DELETE FROM temp.scope"},
		{sql: "INSERT INTO temp.scope SELECT value FROM json_each(?)", args: []any{"[" + joinCompanies(scope) + "]"}},
	} {
		if err := execute(ctx, r.conn, statement.sql, statement.args...); err != nil {
			return scopeSet{}, err
		}
	}
	r.scope = scope.Fingerprint()
	return set, nil
}

func joinCompanies(scope tenancy.Scope) string {
	var b strings.Builder
	for id := range scope.Companies() {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(id), 10))
	}
	return b.String()
}
