package demo

import "time"

// instant is milliseconds since 1970; 0 is no instant.
type instant int64

func (t instant) plus(d time.Duration) instant { return t + instant(d.Milliseconds()) }

func instantOf(t time.Time) instant { return instant(t.UnixMilli()) }

// span is how far back the sessions reach.
const span = 2 * 365 * 24 * time.Hour

// timeline is when what happened in a session; what did not is 0. Nothing lies
// after now: a session that would still be going on has no end yet.
type timeline struct {
	created, started, updated, closed             instant
	clientOnline, clientOffline                   instant
	assigned, operatorFirst                       instant
	clientLast, operatorLast, botLast, last       instant
	firstAnswer, nextAnswers, operatorFirstAnswer int // seconds
	dialog                                        int // seconds that an operator was in it
}

// newTimeline spreads sessions over span up to now, the closer to now the
// denser, so that the newest pages of any company are from these days.
func newTimeline(d *random, now instant, m messageCounts) timeline {
	created := now - instant(d.skewed(int(span.Milliseconds())))
	length := time.Duration(d.between(30, 90)+d.skewed(7200)) * time.Second
	end := created.plus(length)
	t := timeline{created: created, clientOnline: created}
	t.started = min(now, created.plus(time.Duration(max(0, d.between(-1000, 4000)))*time.Millisecond))
	within := func(low, high int) instant { // percent of the session's length
		return min(now, max(t.started, created.plus(length*time.Duration(d.between(low, high))/100)))
	}
	if m.client > 0 {
		t.clientLast = within(85, 100)
	}
	if m.bot > 0 {
		t.botLast = within(5, 25)
		t.firstAnswer = d.between(1, 5)
	}
	if m.operator > 0 {
		t.assigned = within(25, 30)
		t.operatorFirst = within(31, 45)
		t.operatorLast = within(50, 100)
		t.operatorFirstAnswer = int(t.operatorFirst-t.assigned) / 1000
		t.nextAnswers = d.between(5, 400)
		t.dialog = int(t.operatorLast-t.assigned) / 1000
		if t.firstAnswer == 0 {
			t.firstAnswer = int(t.operatorFirst-t.started) / 1000
		}
	}
	t.last = max(t.clientLast, t.botLast, t.operatorLast)
	t.finish(d, now, end)
	return t
}

// finish closes what has had the time to end, and touches some sessions long
// after, as when a tag is set in the next days.
func (t *timeline) finish(d *random, now, end instant) {
	t.updated = max(t.started, t.last)
	if end >= now || t.last == 0 || d.happens(2) { // still going on, or forgotten
		return
	}
	t.clientOffline = end
	t.closed = min(now, end.plus(time.Duration(d.between(1, 1800))*time.Second))
	t.updated = t.closed
	if d.happens(30) {
		t.updated = min(now, t.closed.plus(time.Duration(d.skewed(20*24*3600))*time.Second))
	}
}
