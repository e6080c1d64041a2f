package elastic

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/scopegate/scopegate/session"
)

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"took":3,"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"hits":[{"_source":{"id":"a\\\""},"fields":{"companyId":[7]},"sort":["a",1]}]}}`,
		` { "hits" : { "hits" : [ ] } } `, `{"hits":{"hits":[{"_source": {"a":[1,{"b":null}]} ,"sort":[null,-1.5e3]}]}}`,
		`{"hits":{"hits":[{}]}`, `{"took":x}`, `[]`, ``, `{"a"}`, `{"hits":{"hits":[{"fields":{"companyId":[1,2]}}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []json.RawMessage
		_, err := readAnswer(body, func(h openedHit) error {
			got = append(got, json.RawMessage(h.source))
			return nil
		})
		var want struct {
			Hits struct {
				Hits []struct {
					Source json.RawMessage `json:"_source"`
				}
			}
		}
		if err != nil || json.Unmarshal(body, &want) != nil {
			return // invalid JSON only must not be read past its end
		}
		for i, source := range got {
			if !json.Valid(source) || len(got) == len(want.Hits.Hits) && !bytes.Equal(source, want.Hits.Hits[i].Source) {
				t.Errorf("source %q", source)
			}
		}
	})
}

func BenchmarkReadAnswer(b *testing.B) {
	doc := newSession(b, "a", 7, values{"name": "Somebody", "lastOperatorMessage": "hello hello hello hello"}).JSON()
	body := []byte(`{"took":3,"hits":{"hits":[`)
	const rows = 1000
	for n := range rows {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(append(body, `{"_index":"x","_id":"a","_score":null,"_source":`...), doc...)
		body = append(body, `,"fields":{"companyId":[7]},"sort":["a",1]}`...)
	}
	body = append(body, `]}}`...)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		_, err := readAnswer(body, func(h openedHit) error {
			_, err := h.row(session.AllFields())
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
