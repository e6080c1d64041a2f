package cache

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/tenancy"
)

// intentMemory is how long it is remembered whose sessions a writer is about to
// change: longer than any answer is served that no touch has met.
const intentMemory = time.Hour

// intentRead is how many notes are read at a time.
const intentRead = 100

// Intend notes that sessions of these companies are about to be changed. A writer
// that is killed between a change and its Append has told nobody; the next one
// finds in the notes whom to tell of.
func (l *RedisLog) Intend(ctx context.Context, companies []tenancy.CompanyID) error {
	companies = sortedCompanies(companies)
	for len(companies) > 0 {
		n := min(logCompany, len(companies))
		now, err := l.client.Time(ctx).Result()
		if err != nil {
			return logError(err)
		}
		err = l.client.XAdd(ctx, &redis.XAddArgs{
			Stream: l.intents, MinID: strconv.FormatInt(now.Add(-intentMemory).UnixMilli(), 10), Approx: true,
			Values: []string{"body", string(writeTouch(Touch{Companies: companies[:n]}))},
		}).Err()
		if err != nil {
			return logError(err)
		}
		companies = companies[n:]
	}
	return nil
}

// Intended is all that was noted in the last hour, by writers that have ended,
// were killed, or are still at it. A note that cannot be read stands for all
// companies. Notes carry no MAC: who can write to the Redis can hide one, which
// matters only when a writer is killed too, and no longer than an answer is kept.
func (l *RedisLog) Intended(ctx context.Context) (Touch, error) {
	now, err := l.client.Time(ctx).Result()
	if err != nil {
		return Touch{}, logError(err)
	}
	var companies []tenancy.CompanyID
	from := strconv.FormatInt(now.Add(-intentMemory).UnixMilli(), 10)
	for {
		notes, err := l.client.XRangeN(ctx, l.intents, from, "+", intentRead).Result()
		if err != nil {
			return Touch{}, logError(err)
		}
		for _, note := range notes {
			body, _ := note.Values["body"].(string)
			touch, readErr := readTouch([]byte(body))
			if readErr != nil || touch.All {
				return Touch{All: true}, nil //nolint:nilerr // whose sessions they were cannot be told
			}
			companies = append(companies, touch.Companies...)
			from = "(" + note.ID
		}
		if len(notes) < intentRead {
			return Touch{Companies: sortedCompanies(companies)}, nil
		}
		companies = sortedCompanies(companies)
	}
}
