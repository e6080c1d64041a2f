package searchtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scopegate/scopegate/search"
)

func cancelChecks() []check {
	a := everything(placeCo, sortCo, syntaxCo).find("a").by("-name")
	return []check{
		{"cancel/a search that is cancelled beforehand", func(ctx context.Context, e *env) error {
			dead, cancel := context.WithCancel(ctx)
			cancel()
			return refusedFor(ctx, dead, e, a)
		}},
		{"cancel/a count that is cancelled beforehand", func(ctx context.Context, e *env) error {
			dead, cancel := context.WithCancel(ctx)
			cancel()
			return refusedFor(ctx, dead, e, a.without(false, true))
		}},
		{"cancel/a search past its deadline", func(ctx context.Context, e *env) error {
			late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
			defer cancel()
			return refusedFor(ctx, late, e, a)
		}},
		{"cancel/searches that are cancelled on the way", cancelledOnTheWay(func(ctx context.Context, e *env) error {
			_, _, err := e.agree(ctx, a)
			return err
		})},
		{"cancel/summaries that are cancelled on the way", cancelledOnTheWay(func(ctx context.Context, e *env) error {
			return e.agreeOnSums(ctx, a, search.SummaryQuery{})
		})},
		{"cancel/a summary past its deadline", func(ctx context.Context, e *env) error {
			late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
			defer cancel()
			if err := e.agreeOnSums(late, a, search.SummaryQuery{}); !ofContext(err) {
				return fmt.Errorf("error %w, want the context's", err)
			}
			return e.agreeOnSums(ctx, a, search.SummaryQuery{})
		}},
	}
}

// refusedFor searches with a context that has ended, then with one that has not:
// the engine must still work.
func refusedFor(ctx, ended context.Context, e *env, a ask) error {
	got, err := e.search(ended, a)
	if !ofContext(err) || len(got.Page.Rows) > 0 || got.Count.Total != 0 {
		return fmt.Errorf("error %w, %d rows, count %d; want the context's error alone", err, len(got.Page.Rows), got.Count.Total)
	}
	_, _, err = e.agree(ctx, a)
	return err
}

func ofContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, search.ErrTimeout)
}

// cancelledOnTheWay cancels after shorter and longer times: an answer is complete
// or an error.
func cancelledOnTheWay(agree func(context.Context, *env) error) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		for i := range 40 {
			brief, cancel := context.WithCancel(ctx)
			go func() {
				for range i * 10 {
					time.Sleep(time.Microsecond)
				}
				cancel()
			}()
			err := agree(brief, e)
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
		}
		return agree(ctx, e)
	}
}

// concurrencyChecks run many searches at a time.
func concurrencyChecks() []check {
	asks := []ask{
		everything(filterCo).find("anna"), everything(scriptCo).find("й").by("-name"),
		everything(phoneCo).find("8 (999) 123-45-67"), everything(pageCo).by("name").page(5, 5),
		everything(twins()...).find("twin").by("-createdAt"), everything(wide()...), everything(),
		everything(sortCo).by("-rating", "name").page(3, 4), everything(twinCo).find("w"), everything(syntaxCo).find("%"),
	}
	return []check{
		{"concurrency/searches of different scopes at once", func(ctx context.Context, e *env) error {
			group, ctx := errgroup.WithContext(ctx)
			for i := range 8 {
				group.Go(func() error {
					for n := range 2 * len(asks) {
						if _, _, err := e.agree(ctx, asks[(n+i)%len(asks)]); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		}},
		{"concurrency/searches while others write", func(ctx context.Context, e *env) error {
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error {
				for i := range 10 {
					if err := put(ctx, e, writeCo-1, "meanwhile", fmt.Sprintf("mw%d", i)); err != nil {
						return err
					}
				}
				return nil
			})
			for i := range 3 {
				group.Go(func() error {
					for n := range 2 * len(asks) {
						if _, _, err := e.agree(ctx, asks[(n+i)%len(asks)]); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		}},
	}
}
