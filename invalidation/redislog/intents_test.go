package redislog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/scopegate/scopegate/cache/redisstore"
	"github.com/scopegate/scopegate/invalidation"
	"github.com/scopegate/scopegate/tenancy"
)

func TestWhatIsAboutToBeWrittenIsKnownToTheWritersBehind(t *testing.T) {
	r := newRedis(t, redisstore.Options{})
	space := namespace(t)
	killed, next, other := newRedisLog(t, r, space), newRedisLog(t, r, space), newRedisLog(t, r, namespace(t))
	want := invalidation.Event{}
	for n := range tenancy.CompanyID(2*intentRead + 1) { // more notes than are read at a time
		if err := killed.Intend(t.Context(), []tenancy.CompanyID{n + 2, n + 1}); err != nil {
			t.Fatal(err)
		}
		want.Companies = append(want.Companies, n+1)
	}
	want.Companies = append(want.Companies, 2*intentRead+2)
	got, err := next.Intended(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := other.Intended(t.Context()); err != nil || got.All || len(got.Companies) > 0 {
		t.Errorf("another log has %+v, %v", got, err)
	}
	if err := r.LogPool().XAdd(t.Context(), &redis.XAddArgs{Stream: killed.intents, Values: []string{"body", "spoilt"}}).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := next.Intended(t.Context()); err != nil || !got.All {
		t.Errorf("a note that cannot be read is %+v, %v", got, err)
	}
}

func TestWhatAWriterHasPublishedIsIntendedNoLonger(t *testing.T) {
	r := newRedis(t, redisstore.Options{})
	space := namespace(t)
	done, killed, next := newRedisLog(t, r, space), newRedisLog(t, r, space), newRedisLog(t, r, space)
	for _, step := range []error{
		done.Intend(t.Context(), []tenancy.CompanyID{1, 2}),
		killed.Intend(t.Context(), []tenancy.CompanyID{2, 3}),
		done.Published(t.Context()),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	want := invalidation.Event{Companies: []tenancy.CompanyID{2, 3}}
	if got, err := next.Intended(t.Context()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if err := done.Intend(t.Context(), []tenancy.CompanyID{4}); err != nil {
		t.Fatal(err)
	}
	want = invalidation.Event{Companies: []tenancy.CompanyID{2, 3, 4}}
	if got, err := next.Intended(t.Context()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("after another change: %+v, %v, want %+v", got, err, want)
	}
}
