package gateway

import (
	"log/slog"

	"go.opentelemetry.io/otel/attribute"

	"github.com/scopegate/scopegate/tenancy"
)

// The names under which a refusal stands in logs and spans, and its reason as a
// label of the metric.
const (
	reasonKey = "reason"
	claimKey  = "claim"
)

// refusal is why a caller was refused, for those who run the gateway: the caller
// is told less. The zero refusal is none.
type refusal struct {
	reason tenancy.Reason
	claim  string // with tenancy.ReasonClaim
}

func refusalOf(err error) refusal {
	reason, claim, _ := tenancy.RefusalOf(err)
	return refusal{reason, claim}
}

func (r refusal) reasonAttribute() attribute.KeyValue {
	return attribute.String(reasonKey, string(r.reason))
}

func (r refusal) attributes() []attribute.KeyValue {
	if r.reason == "" {
		return nil
	}
	attrs := []attribute.KeyValue{r.reasonAttribute()}
	if r.claim != "" {
		attrs = append(attrs, attribute.String(claimKey, r.claim))
	}
	return attrs
}

func (r refusal) logged() []slog.Attr {
	if r.reason == "" {
		return nil
	}
	attrs := []slog.Attr{slog.String(reasonKey, string(r.reason))}
	if r.claim != "" {
		attrs = append(attrs, slog.String(claimKey, r.claim))
	}
	return attrs
}
