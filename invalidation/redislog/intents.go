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

// intentMemory is how long an intent is stored: longer than any answer is served
// that no event has made stale.
const intentMemory = time.Hour

// intentRead is how many intents are read at a time.
const intentRead = 100

// Intend records that sessions of these companies are about to be changed. A writer
// that is killed between a change and its Append has published nothing; the next
// writer finds in the intents which companies to publish.
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

// Published records that all changes that this process intended so far were
// published: they are no longer Intended.
func (l *Log) Published(ctx context.Context) error {
	return logError(l.client.XAdd(ctx, &redis.XAddArgs{Stream: l.intents, Values: []string{"writer", l.writer, "published", "1"}}).Err())
}

// Intended is all that was intended in the last hour and has not been published by
// its writer, which was killed or has not finished. An intent that cannot be read
// stands for all companies. Intents carry no MAC: whoever can write to the Redis can
// hide one. That matters only if a writer is killed too, and no longer than an
// answer is served.
func (l *Log) Intended(ctx context.Context) (invalidation.Event, error) {
	now, err := l.client.Time(ctx).Result()
	if err != nil {
		return invalidation.Event{}, logError(err)
	}
	intended := map[string][]tenancy.CompanyID{} // by writer
	from := strconv.FormatInt(now.Add(-intentMemory).UnixMilli(), 10)
	for {
		intents, err := l.client.XRangeN(ctx, l.intents, from, "+", intentRead).Result()
		if err != nil {
			return invalidation.Event{}, logError(err)
		}
		for _, intent := range intents {
			from = "(" + intent.ID
			writer, _ := intent.Values["writer"].(string)
			if _, published := intent.Values["published"]; published {
				delete(intended, writer)
				continue
			}
			body, _ := intent.Values["body"].(string)
			event, readErr := readEvent([]byte(body))
			if readErr != nil || event.All {
				return invalidation.Event{All: true}, nil //nolint:nilerr // whose sessions they were is not known
			}
			intended[writer] = append(intended[writer], event.Companies...)
		}
		if len(intents) < intentRead {
			return invalidation.Event{Companies: sortedCompanies(slices.Concat(slices.Collect(maps.Values(intended))...))}, nil
		}
		for writer, companies := range intended {
			intended[writer] = sortedCompanies(companies) // intents of one writer repeat companies
		}
	}
}
