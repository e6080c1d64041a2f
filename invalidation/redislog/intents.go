package redislog

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

// intentMemory is how long it is remembered whose sessions a writer is about to
// change: longer than any answer is served that no event has met.
const intentMemory = time.Hour

// intentRead is how many notes are read at a time.
const intentRead = 100

// Intend notes that sessions of these companies are about to be changed. A writer
// that is killed between a change and its Append has told nobody; the next one
// finds in the notes whom to tell of.
func (l *Log) Intend(ctx context.Context, companies []tenancy.CompanyID) error {
	companies = sortedCompanies(companies)
	for len(companies) > 0 {
		n := min(maxCompanies, len(companies))
		now, err := l.client.Time(ctx).Result()
		if err != nil {
			return logError(err)
		}
		err = l.client.XAdd(ctx, &redis.XAddArgs{
			Stream: l.intents, MinID: strconv.FormatInt(now.Add(-intentMemory).UnixMilli(), 10), Approx: true,
			Values: []string{"writer", l.writer, "body", string(writeEvent(invalidation.Event{Companies: companies[:n]}))},
		}).Err()
		if err != nil {
			return logError(err)
		}
		companies = companies[n:]
	}
	return nil
}

// Published notes that all changes that this process intended so far were
// published: its notes are no longer Intended.
func (l *Log) Published(ctx context.Context) error {
	return logError(l.client.XAdd(ctx, &redis.XAddArgs{Stream: l.intents, Values: []string{"writer", l.writer, "published", "1"}}).Err())
}

// Intended is all that was noted in the last hour and has not been published by
// its writer, which was killed or is still at it. A note that cannot be read stands for all
// companies. Notes carry no MAC: who can write to the Redis can hide one, which
// matters only when a writer is killed too, and no longer than an answer is kept.
func (l *Log) Intended(ctx context.Context) (invalidation.Event, error) {
	now, err := l.client.Time(ctx).Result()
	if err != nil {
		return invalidation.Event{}, logError(err)
	}
	intended := map[string][]tenancy.CompanyID{} // by writer
	from := strconv.FormatInt(now.Add(-intentMemory).UnixMilli(), 10)
	for {
		notes, err := l.client.XRangeN(ctx, l.intents, from, "+", intentRead).Result()
		if err != nil {
			return invalidation.Event{}, logError(err)
		}
		for _, note := range notes {
			from = "(" + note.ID
			writer, _ := note.Values["writer"].(string)
			if _, published := note.Values["published"]; published {
				delete(intended, writer)
				continue
			}
			body, _ := note.Values["body"].(string)
			event, readErr := readEvent([]byte(body))
			if readErr != nil || event.All {
				return invalidation.Event{All: true}, nil //nolint:nilerr // whose sessions they were cannot be told
			}
			intended[writer] = append(intended[writer], event.Companies...)
		}
		if len(notes) < intentRead {
			return invalidation.Event{Companies: sortedCompanies(slices.Concat(slices.Collect(maps.Values(intended))...))}, nil
		}
		for writer, companies := range intended {
			intended[writer] = sortedCompanies(companies) // notes of one writer repeat companies
		}
	}
}
