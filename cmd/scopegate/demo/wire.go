package demo

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// wire appends the members of a JSON object. It is written by hand as the
// generator has to keep up with the store that it fills: by reflection, making
// a session would cost more than storing it.
type wire struct {
	buf []byte
}

func (w *wire) key(name string) {
	if last := w.buf[len(w.buf)-1]; last != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *wire) null(name string) {
	w.key(name)
	w.buf = append(w.buf, "null"...)
}

// text writes null for "": the generator has no empty text.
func (w *wire) text(name, value string) {
	w.key(name)
	w.quote(value)
}

func (w *wire) quote(value string) {
	if value == "" {
		w.buf = append(w.buf, "null"...)
		return
	}
	// The only error is invalid UTF-8, which the tables do not hold; it would
	// still come out as valid JSON.
	w.buf, _ = jsontext.AppendQuote(w.buf, value)
}

func (w *wire) integer(name string, value int) {
	w.key(name)
	w.buf = strconv.AppendInt(w.buf, int64(value), 10)
}

// atLeast writes null for what is below low.
func (w *wire) atLeast(low int, name string, value int) {
	if value < low {
		w.null(name)
		return
	}
	w.integer(name, value)
}

// number writes null for 0.
func (w *wire) number(name string, value float64) {
	if value == 0 {
		w.null(name)
		return
	}
	w.key(name)
	w.buf = strconv.AppendFloat(w.buf, value, 'f', -1, 64)
}

func (w *wire) flag(name string, value tri) {
	w.key(name)
	switch value {
	case triTrue:
		w.buf = append(w.buf, "true"...)
	case triFalse:
		w.buf = append(w.buf, "false"...)
	default:
		w.buf = append(w.buf, "null"...)
	}
}

// date writes null for 0.
func (w *wire) date(name string, t instant) {
	if t == 0 {
		w.null(name)
		return
	}
	w.key(name)
	w.buf = append(w.buf, '"')
	w.buf = time.UnixMilli(int64(t)).UTC().AppendFormat(w.buf, "2006-01-02T15:04:05.000Z")
	w.buf = append(w.buf, '"')
}

// texts writes null for none.
func (w *wire) texts(name string, values ...string) {
	if len(values) == 0 {
		w.null(name)
		return
	}
	w.key(name)
	for i, value := range values {
		w.buf = append(w.buf, "[,"[min(i, 1)])
		w.quote(value)
	}
	w.buf = append(w.buf, ']')
}

// open and shut bracket an object; what is written between are its members.
func (w *wire) open(name string) {
	w.key(name)
	w.buf = append(w.buf, '{')
}

func (w *wire) shut() { w.buf = append(w.buf, '}') }
