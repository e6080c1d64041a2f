package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"github.com/scopegate/scopegate/search"
)

// keptTable has the keys of the newest sessions of clients. It is made in the
// transaction of a search, so it ends with it.
const keptTable = "temp.kept"

// clientOf identifies a client of a company.
type clientOf struct {
	company int64
	client  string
}

var errTooManyClients = fmt.Errorf("sqlite: %w", search.ErrTooManyClients)

// keepNewest adds the condition that a session is the newest match of its client, or
// has no client. It reads every match once; see sum. An empty client_id is none.
func (p *planner) keepNewest(ctx context.Context) error {
	if isNever(p.conditions) {
		return nil
	}
	a, err := p.candidates(ctx)
	if err != nil {
		return err
	}
	w := p.where(a)
	query := "WITH matches AS MATERIALIZED (SELECT s.company_id, s.client_id, s.started_at, s.id, s.key FROM " + a.from +
		w.sql.String() + " LIMIT ?) SELECT * FROM matches"
	kept := map[clientOf]newest{}
	matches, others := int64(0), int64(0)
	err = p.r.each(ctx, query, append(w.args, p.mostOfClients+1), func(rows *sql.Rows) error {
		var of clientOf
		var client sql.NullString
		var session newest
		if err := rows.Scan(&of.company, &client, &session.startedAt, &session.id, &session.key); err != nil {
			return err
		}
		if matches++; matches > p.mostOfClients {
			return errTooManyClients
		}
		if of.client = client.String; of.client == "" {
			others++
			return nil
		}
		if known, ok := kept[of]; !ok || known.isBefore(session) {
			kept[of] = session
		}
		if len(kept) > p.mostClients {
			return errTooManyClients
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.r.store(ctx, kept); err != nil {
		return err
	}
	p.conditions = append(p.conditions, condition{
		sql: "(s.client_id IS NULL OR s.client_id = '' OR s.key IN (SELECT key FROM " + keptTable + "))",
	})
	count := int64(len(kept)) + others
	p.matches = &count
	return nil
}

func (r *reader) store(ctx context.Context, kept map[clientOf]newest) error {
	keys := joinNumbers(maps.Values(kept), func(n newest) int64 { return n.key })
	if err := execute(ctx, r.conn, "CREATE TABLE "+keptTable+" (key INTEGER PRIMARY KEY) STRICT"); err != nil {
		return err
	}
	return execute(ctx, r.conn, "INSERT INTO "+keptTable+" SELECT value FROM json_each(?)", "["+keys+"]")
}
