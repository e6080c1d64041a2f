// Package schema lists the schemas that stored data can have, one Step each. Both
// engines read the list: what they store, what they can still search, and how they
// bring older data up to date follows from it.
//
// docs/architecture.md has the recipe for a new step.
package schema

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/search/keyword"
)

// Change is what a step does to the data of an engine. A larger Change costs more.
type Change int

const (
	// Unchanged means that the step concerns the other engine. Only the number of the
	// schema is stored anew.
	Unchanged Change = iota
	// Added means that fields, columns, tables or indexes are added in place, and no
	// stored record changes. Programs that know the schema before it can search the data
	// in Elasticsearch meanwhile.
	//
	// Elasticsearch gets the program's mapping by PUT _mapping. It accepts new
	// fields only: it refuses a change of an existing field, such as index: false
	// to true, or enabled: false to a type. That is a Rewritten step. Documents
	// must not have had a value of the new field before.
	Added
	// Rewritten means that every record is written again, into a new index or file.
	Rewritten
)

// Step leads to a schema from the one before it.
type Step struct {
	// Schema is the number of the schema that the step leads to. It is stored with
	// the data.
	Schema int
	// Release is the heading of CHANGELOG.md under which the step was released.
	Release string
	// Folding is how text is folded in data of this schema. A step with another
	// Folding is Rewritten on both engines.
	Folding keyword.Folding
	// Elasticsearch and SQLite are what the step does on each engine.
	Elasticsearch, SQLite Change
	// SQL are the statements of an Added step on SQLite; they run in one
	// transaction. A new folder has the same tables from the start.
	SQL string
	// Searched: this program can search an index of this schema in Elasticsearch.
	// It does so by the schema's Folding. SQLite's folders are brought up to date
	// before they are searched.
	Searched bool
	// Fixture is the folder in testdata with data of this schema, as the last
	// program that made such data wrote it; "" if there is none.
	Fixture string
}

// List is a list of all steps, oldest first. Their numbers go up by one.
type List []Step

// Steps returns the steps that this program knows.
func Steps() List {
	return List{
		{
			Schema: 1, Release: "Unreleased", Folding: keyword.FirstFolding,
			Elasticsearch: Rewritten, SQLite: Rewritten,
		},
		{
			// Elasticsearch: sums, faults and tags are computed by the index.
			// SQLite: the log of invalidations is beside the sessions.
			Schema: 2, Release: "Unreleased", Folding: keyword.FirstFolding,
			Elasticsearch: Rewritten, SQLite: Added, SQL: invalidations, Searched: true, Fixture: "2",
		},
		{
			// Elasticsearch: botStatus, operatorId and single tags can be counted by.
			// Both: clientId, isLostSession, unreadClientMessageCount, nps,
			// timerFirstAnswer, rating, closedAt and lastMessageCreatedAt can be filtered by.
			Schema: 3, Release: "Unreleased", Folding: keyword.FirstFolding,
			Elasticsearch: Rewritten, SQLite: Rewritten, Searched: true,
		},
		{
			Schema: 4, Release: "Unreleased", Folding: keyword.SecondFolding,
			Elasticsearch: Rewritten, SQLite: Rewritten, Searched: true,
		},
	}
}

// invalidations holds, for each company, the number of the last transaction that
// wrote, moved or deleted sessions of it; 0 stands for all companies. The mark
// distinguishes this sequence of numbers from that of another database.
const invalidations = `
CREATE TABLE touches (company_id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE INDEX touches_sequence ON touches (sequence);
INSERT INTO meta (name, value) VALUES ('touches.epoch', lower(hex(randomblob(16))));`

// Newest returns the last step. New data has its schema.
func (l List) Newest() Step { return l[len(l)-1] }

// Find returns the step that leads to a schema.
func (l List) Find(number int) (Step, bool) {
	i := slices.IndexFunc(l, func(s Step) bool { return s.Schema == number })
	if i < 0 {
		return Step{}, false
	}
	return l[i], true
}

// After returns the steps that lead from a schema to the newest one.
func (l List) After(number int) List {
	for i, s := range l {
		if s.Schema > number {
			return l[i:]
		}
	}
	return nil
}

// Elasticsearch returns what the steps of the list do to an index, all in all.
func (l List) Elasticsearch() Change {
	return l.most(func(s Step) Change { return s.Elasticsearch })
}

// SQLite returns what the steps of the list do to a folder, all in all.
func (l List) SQLite() Change { return l.most(func(s Step) Change { return s.SQLite }) }

func (l List) most(of func(Step) Change) (most Change) {
	for _, s := range l {
		most = max(most, of(s))
	}
	return most
}

// SearchedSince returns the lowest schema whose programs can search data of the
// newest schema in Elasticsearch: after it, fields were only added.
func (l List) SearchedSince() int {
	since := l[0].Schema
	for _, s := range l {
		if s.Elasticsearch == Rewritten {
			since = s.Schema
		}
	}
	return since
}

// Newer says that data has a newer schema than this program knows. what names the
// data, as in "the index"; program is the version that made it, "" if unknown.
func (l List) Newer(what string, number int, program string) string {
	by := ""
	if program != "" {
		by = ", made by scopegate " + program
	}
	return fmt.Sprintf("%s has schema %d%s; this program knows schemas up to %d: use that version or a newer one", what, number, by, l.Newest().Schema)
}

// Program returns the version of the running program, as the build recorded it, with
// the commit if the version does not contain it. It is "" if none was recorded.
func Program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && !strings.Contains(info.Main.Version, setting.Value[:min(12, len(setting.Value))]) {
			return info.Main.Version + " " + setting.Value
		}
	}
	return info.Main.Version
}
