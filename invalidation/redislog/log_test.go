package redislog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

func newRedisLog(t *testing.T, r *redisstore.Client, space string) *Log {
	t.Helper()
	l, err := New(r, space, [][]byte{sealingKey(1)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// storeUnder is where a log is kept.
func storeUnder(l *Log) *redisStore { return l.store.(*redisStore) }

func next(t *testing.T, l *Log, at invalidation.Offset) invalidation.Batch {
	t.Helper()
	n, err := l.Next(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func appendTo(t *testing.T, l *Log, companies ...tenancy.CompanyID) {
	t.Helper()
	if err := l.Append(t.Context(), companies); err != nil {
		t.Fatal(err)
	}
}

func TestALogInRedisIsReadAsItWasWritten(t *testing.T) {
	r := newRedis(t, redisstore.Options{})
	space := namespace(t)
	ours, theirs := newRedisLog(t, r, space), newRedisLog(t, r, space)
	start := next(t, ours, invalidation.Offset{})
	if start.Sequence != 0 || start.Complete != 0 || len(start.Events) != 0 || !start.Known() {
		t.Fatalf("an empty log: %+v", start)
	}
	appendTo(t, theirs, 3, 1, 3)
	if err := theirs.AppendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []invalidation.Event{{Sequence: 1, Companies: []tenancy.CompanyID{1, 3}}, {Sequence: 2, All: true}}
	for name, at := range map[string]invalidation.Offset{"behind a mark": start.Offset, "by one who has just come": {}} {
		got := next(t, ours, at)
		if diff := cmp.Diff(want, got.Events); diff != "" || got.Sequence != 2 || got.Complete != 0 {
			t.Errorf("%s: %+v\n%s", name, got, diff)
		}
	}
	none := next(t, ours, next(t, ours, invalidation.Offset{}).Offset)
	if none.Sequence != 2 || none.Complete != 2 || len(none.Events) != 0 {
		t.Errorf("nothing new: %+v", none)
	}
	if other := next(t, newRedisLog(t, r, space+"2"), invalidation.Offset{}); other.Sequence != 0 {
		t.Errorf("another namespace: %+v", other)
	}
}

func TestEntriesOfManyWritersAreNumberedWithoutAHole(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	var writers sync.WaitGroup
	for writer := range 4 {
		writers.Go(func() {
			for range 10 {
				if err := l.Append(context.Background(), []tenancy.CompanyID{tenancy.CompanyID(writer + 1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if n := next(t, l, invalidation.Offset{}); n.Sequence != 40 || n.Complete != 0 || len(n.Events) != 40 {
		t.Errorf("40 entries: up to %d, complete behind %d, %d events", n.Sequence, n.Complete, len(n.Events))
	}
}

func TestAnythingAmissInTheStreamIsAGap(t *testing.T) {
	for name, amiss := range map[string]func(t *testing.T, l *Log, ids []string){
		"an entry deleted": func(t *testing.T, l *Log, ids []string) {
			t.Helper()
			check(t, storeUnder(l).client.XDel(t.Context(), storeUnder(l).stream, ids[3]).Err())
		},
		"the last deleted": func(t *testing.T, l *Log, ids []string) {
			t.Helper()
			check(t, storeUnder(l).client.XDel(t.Context(), storeUnder(l).stream, ids[4]).Err())
		},
		"trimmed": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			check(t, storeUnder(l).client.XTrimMaxLen(t.Context(), storeUnder(l).stream, 0).Err())
		},
		"the head lost": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			check(t, storeUnder(l).client.Del(t.Context(), storeUnder(l).head).Err())
		},
		"the head set back": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			check(t, storeUnder(l).client.HSet(t.Context(), storeUnder(l).head, "seq", "1").Err())
		},
		"all lost": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			check(t, storeUnder(l).client.Del(t.Context(), storeUnder(l).head, storeUnder(l).stream).Err())
		},
		"an entry forged": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			check(t, storeUnder(l).client.XAdd(t.Context(), xadd(l, "6", "c\x01", "forged")).Err())
			check(t, storeUnder(l).client.HSet(t.Context(), storeUnder(l).head, "seq", "6").Err())
		},
		"an entry of another key": func(t *testing.T, l *Log, _ []string) {
			t.Helper()
			appendTo(t, over(l.store, l.name, must(newMACRing([][]byte{sealingKey(2)}))), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
			appendTo(t, l, 1)
			appendTo(t, l, 2)
			known := invalidation.NewIndex(time.Now())
			known.Add(next(t, l, invalidation.Offset{}), time.Now())
			for company := range tenancy.CompanyID(3) {
				appendTo(t, l, company+3)
			}
			var ids []string
			for _, entry := range storeUnder(l).client.XRange(t.Context(), storeUnder(l).stream, "-", "+").Val() {
				ids = append(ids, entry.ID)
			}
			amiss(t, l, ids)
			if !known.Add(next(t, l, known.Offset()), time.Now()) {
				t.Errorf("it was taken for whole: %+v", known.Offset())
			}
			appendTo(t, l, 9)
			if known.Add(next(t, l, known.Offset()), time.Now()) {
				t.Error("it is not whole again")
			}
		})
	}
}

func TestEntriesAreTrimmedAfterTwentyMinutes(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	old := xadd(l, "1", "c\x01", "x")
	old.ID = "1-1" // of 1970
	check(t, l.Ping(t.Context()))
	check(t, storeUnder(l).client.XAdd(t.Context(), old).Err())
	check(t, storeUnder(l).client.HSet(t.Context(), storeUnder(l).head, "seq", "1").Err())
	appendTo(t, l, 1) // the old one is where followers go on from
	appendTo(t, l, 2)
	if n := storeUnder(l).client.XLen(t.Context(), storeUnder(l).stream).Val(); n != 2 {
		t.Errorf("%d entries, want the two new ones", n)
	}
}

// A replica that has become the master without the last entries, and whose clock
// is behind: what it takes since has their numbers and lies before them.
func TestEntriesLostAndReplacedUnderTheirNumbersAreAGap(t *testing.T) {
	l := newRedisLog(t, newRedis(t, redisstore.Options{}), namespace(t))
	appendTo(t, l, 1)
	first := storeUnder(l).client.XRange(t.Context(), storeUnder(l).stream, "-", "+").Val()[0]
	time.Sleep(2 * time.Millisecond) // entries are numbered by it
	appendTo(t, l, 2)
	known := invalidation.NewIndex(time.Now())
	known.Add(next(t, l, invalidation.Offset{}), time.Now())

	at := invalidation.Position{Epoch: known.Offset().Epoch, Sequence: 2}
	body := writeEvent(invalidation.Event{Companies: []tenancy.CompanyID{3}})
	other := xadd(l, "2", string(body), string(l.ring.sign(l.name, at, body)))
	other.ID = first.ID + "1" // behind the first, and before the second
	check(t, storeUnder(l).client.Del(t.Context(), storeUnder(l).stream).Err())
	check(t, storeUnder(l).client.XAdd(t.Context(), &redis.XAddArgs{Stream: storeUnder(l).stream, ID: first.ID, Values: first.Values}).Err())
	check(t, storeUnder(l).client.XAdd(t.Context(), other).Err())
	if !known.Add(next(t, l, known.Offset()), time.Now()) {
		t.Errorf("it was taken for whole: %+v", known.Offset())
	}
}

func TestAnEventIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.Uint32Range(1, uint32(tenancy.MaxCompanyID)), 0, 20, rapid.ID[uint32]).Draw(t, "companies")
		want := invalidation.Event{All: rapid.Bool().Draw(t, "all")}
		if !want.All {
			slices.Sort(ids)
			for _, id := range ids {
				want.Companies = append(want.Companies, tenancy.CompanyID(id))
			}
		}
		got, err := readEvent(writeEvent(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("event (-written +read):\n%s", diff)
		}
	})
}

// FuzzReadEvent looks for bytes that make readEvent panic, or companies that
// are none.
func FuzzReadEvent(f *testing.F) {
	f.Add([]byte("a"))
	f.Add([]byte("c\x01\x02\xff\xff\xff\xff\x07"))
	for _, seed := range []string{
		"", "c", "aa", "d\x01", // none, no company, more behind all, an unknown kind
		"c\x00", "c\x01\x00", // company 0, a company twice
		"c\xff\xff\xff\xff\x07\x01",              // one behind the last there can be
		"c\x80", "c\x81\x80\x80\x80\x80\x80\x80", // a number that does not end
		"c\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // and one that is too large for any
		string(writeEvent(invalidation.Event{Companies: []tenancy.CompanyID{1, 2, 300, tenancy.MaxCompanyID}})),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := readEvent(body)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Errorf("error %v", err)
			}
			return
		}
		last := tenancy.CompanyID(0)
		for _, company := range event.Companies {
			if company <= last || company > tenancy.MaxCompanyID {
				t.Fatalf("companies %v", event.Companies)
			}
			last = company
		}
	})
}
