package searchtest

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/search"
)

// RunGenerated tests an engine with generated sessions and queries. newEngine is as
// in Run. rapid's own flags set the duration and the seed: -rapid.checks,
// -rapid.seed, -rapid.failfile; with -short there are fewer checks.
//
// Each round writes one set of sessions and runs many queries on it, so that
// engines with slow writes get enough queries too. A failure is reduced to few
// sessions and a short query.
func RunGenerated(t *testing.T, newEngine func(testing.TB) Engine) {
	t.Helper()
	e := newEnv(newEngine(t), newScopes(t))
	rapid.Check(t, func(rt *rapid.T) {
		if err := round(t.Context(), rt, e); err != nil {
			rt.Fatal(err)
		}
	})
}

// The number of queries of one round.
const (
	genSessions  = 40
	genQuestions = 8
)

// round replaces the engine's sessions with newly generated ones and runs the
// queries.
func round(ctx context.Context, t *rapid.T, e *env) error {
	var specs []spec
	for n := range evenly([]int{0, 1, 2, 5, 10, 20, genSessions, genSessions}).Draw(t, "sessions") {
		specs = append(specs, genSession(t, n))
	}
	docs, err := build(specs)
	if err != nil {
		return err
	}
	if err := e.replace(ctx, docs); err != nil {
		return err
	}
	for range genQuestions {
		if err := question(ctx, t, e); err != nil {
			return err
		}
	}
	return addUp(ctx, t, e)
}

// question draws one query with none to three conditions and reads the answer by
// offset or by position.
func question(ctx context.Context, t *rapid.T, e *env) error {
	a := drawn(t, e)
	a.query.Sort, a.query.Fields = genOrder(t), genFields(t)
	a.query.NewestOfClient = below(4).Draw(t, "newest of client") == 0
	_, whole, err := e.agree(ctx, a)
	if err != nil {
		return err
	}
	size := len(whole.page)/(1+below(4).Draw(t, "pages")) + 1
	if genFlags.Draw(t, "by offset") {
		err = walkOffsets(a, size)(ctx, e)
	} else {
		err = walk(a.page(0, size))(ctx, e)
	}
	if err != nil {
		return err
	}
	if evenly([]int{0, 0, 1}).Draw(t, "snapshot") == 1 {
		if err := e.wholly(ctx, a.page(0, 0)); err != nil {
			return err
		}
	}
	return jumpDeep(ctx, t, e, a)
}

// drawn draws a query with none to three conditions.
func drawn(t *rapid.T, e *env) ask {
	return narrowed(t, everything(evenly(genScopes()).Draw(t, "scope")...), sorted(e.held(genCompanies())))
}

// addUp draws and compares a summary.
func addUp(ctx context.Context, t *rapid.T, e *env) error {
	q := search.SummaryQuery{
		Interval:         evenly(search.Intervals()).Draw(t, "interval"),
		Fill:             genFlags.Draw(t, "fill"),
		WithoutHistogram: below(8).Draw(t, "histogram") == 0,
		Top:              evenly([]int{0, 1, 2, 5}).Draw(t, "top"),
		ExceptOwn:        genFlags.Draw(t, "except own"),
		AllCompanies:     genFlags.Draw(t, "all companies"),
	}
	q.Zone.Minutes = evenly([]int{0, 1, 60, -60, 330, 840, -840}).Draw(t, "timezone")
	if genFlags.Draw(t, "named zone") {
		q.Zone = search.Zone{Name: evenly(zonesToTry()).Draw(t, "zone")}
	}
	if !genFlags.Draw(t, "default facets") {
		q.Facets = rapid.SliceOfNDistinct(evenly(search.Facets()), 1, 4, rapid.ID[search.Facet]).Draw(t, "facets")
	}
	a := drawn(t, e)
	if f := &a.query.Filter; q.Fill && f.From.IsZero() && f.To.IsZero() { // only between bounds is something filled
		f.From = time.Date(2024, time.February, 27, 0, 0, 0, 0, time.UTC)
		f.To = f.From.AddDate(0, 0, 7)
	}
	return e.agreeOnSums(ctx, a, q)
}

// sorted puts the sessions in a fixed order, so that draws from them are
// reproducible.
func sorted(rows []record) []record {
	order(rows, sortBy("id"))
	return rows
}

func narrowed(t *rapid.T, a ask, rows []record) ask {
	if len(rows) == 0 {
		return a
	}
	witness := rows[below(len(rows)).Draw(t, "witness")]
	for range evenly([]int{0, 1, 1, 1, 2, 2, 2, 3}).Draw(t, "conditions") {
		narrower, c := a, conditions()[below(len(conditions())).Draw(t, "condition")]
		if c.narrow(t, &narrower, witness) {
			a = narrower
		}
	}
	return a
}

// jumpDeep reads after any session of any company, by some of its sort values, with an
// offset, perhaps without the count or the items.
func jumpDeep(ctx context.Context, t *rapid.T, e *env, a ask) error {
	rows := sorted(e.held(genCompanies()))
	if len(rows) == 0 {
		return nil
	}
	place := rows[below(len(rows)).Draw(t, "behind")].place(a.query.Sort)
	a = a.after(writePosition(place[:evenly([]int{1, max(1, len(place)-1), len(place)}).Draw(t, "values")]...))
	a = a.page(rapid.IntRange(0, 3).Draw(t, "offset"), rapid.IntRange(1, 5).Draw(t, "limit"))
	half := below(3).Draw(t, "half")
	if _, _, err := e.agree(ctx, a.without(half == 1, half == 2)); err != nil || half > 0 {
		return err
	}
	return e.wholly(ctx, a)
}
