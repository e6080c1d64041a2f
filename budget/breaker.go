package budget

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/scopegate/scopegate/reason"
)

// A breaker opens when BreakerFailures of the last BreakerCalls calls failed, and
// lets one through after each BreakerDelay to see whether that is over.
const (
	BreakerFailures = 10
	BreakerCalls    = 20
	BreakerDelay    = time.Second
)

// maxCalls is how many calls may be under way, those included that nobody waits
// for any more: a service that hangs takes no more goroutines than that.
const maxCalls = 512

// ErrOpen says that the service was not called, since it has been failing.
var ErrOpen = errors.New("the service is failing and was not called")

// Breaker gives each call of a service a budget, and leaves a failing service
// alone. It counts calls, not time: a busy process opens it after some budgets in
// parallel, and in a quiet one no caller waits for longer than one. It is safe for
// use by several goroutines.
type Breaker struct {
	circuitbreaker.CircuitBreaker[any]

	calls *Calls
	cause reason.Last // why a counted call failed last
}

// BreakerLog is where a breaker reports the beginning of an outage, with its
// cause, and its end. What it tries between is not logged.
type BreakerLog struct {
	Logger    *slog.Logger
	Failing   string // the message of the beginning
	Recovered string // and of the end
}

// NewBreaker makes a closed breaker.
func NewBreaker(log BreakerLog) *Breaker {
	return build(log, circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(BreakerFailures, BreakerCalls))
}

// NewStreakBreaker makes a closed breaker that opens after so many failures in a row:
// for a service of whose calls some may fail while others are answered.
func NewStreakBreaker(log BreakerLog, failures uint) *Breaker {
	return build(log, circuitbreaker.NewBuilder[any]().WithFailureThreshold(failures))
}

func build(log BreakerLog, builder circuitbreaker.Builder[any]) *Breaker {
	b := &Breaker{calls: NewCalls(maxCalls)}
	b.CircuitBreaker = builder.
		WithSuccessThreshold(1).
		WithDelay(BreakerDelay).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			switch {
			case e.NewState == circuitbreaker.OpenState && e.OldState == circuitbreaker.ClosedState:
				log.Logger.Warn(log.Failing, slog.String("cause", b.cause.String()))
			case e.NewState == circuitbreaker.ClosedState:
				log.Logger.Info(log.Recovered)
			}
		}).
		Build()
	return b
}

// Fail counts a failed call that the caller has run itself, after TryAcquirePermit.
func (b *Breaker) Fail(err error) {
	b.cause.Note(err)
	b.RecordError(err)
}

// Call is Run within a budget, and counts how it ended. Its errors are also
// ErrOpen.
func Call[T any](ctx context.Context, b *Breaker, within time.Duration, do func(context.Context) (T, error)) (T, error) {
	if !b.TryAcquirePermit() {
		var none T
		return none, ErrOpen
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	value, err := Run(ctx, b.calls, do)
	b.cause.Note(err)
	b.RecordError(err) // nil is a success
	return value, err
}

// CallUncounted is Call for what says nothing of whether the service is failing.
// It calls only while the breaker is closed.
func CallUncounted[T any](ctx context.Context, b *Breaker, within time.Duration, do func(context.Context) (T, error)) (T, error) {
	if !b.IsClosed() {
		var none T
		return none, ErrOpen
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return Run(ctx, b.calls, do)
}
