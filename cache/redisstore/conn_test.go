package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// answersOf reads a stream in pieces of a size, as a connection may bring it.
func answersOf(stream []byte, piece int) error {
	var a answerReader
	for len(stream) > 0 {
		n := min(piece, len(stream))
		if err := a.read(stream[:n]); err != nil {
			return err
		}
		stream = stream[n:]
	}
	return nil
}

func TestAnswersAreReadUpToABound(t *testing.T) {
	value := func(n int) string { return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("v", n)) }
	for name, tt := range map[string]struct {
		answers string
		refused bool
	}{
		"plain ones":                         {"+OK\r\n-ERR no\r\n:7\r\n$-1\r\n*-1\r\n*0\r\n" + value(0) + value(3), false},
		"a value of the bound":               {"+OK\r\n" + value(maxAnswer-10), false},
		"many values, each within it":        {strings.Repeat(value(maxAnswer/4), 10), false},
		"line feeds in a value":              {"*2\r\n$5\r\n\n$9\r\n\r\n*1\r\n:1\r\n+OK\r\n", false},
		"nested arrays":                      {"*2\r\n*1\r\n*2\r\n+a\r\n$1\r\nb\r\n:1\r\n" + value(maxAnswer-10), false},
		"a longer value":                     {fmt.Sprintf("$%d\r\n", maxAnswer+1), true},
		"one of 512 MB":                      {"$536870912\r\n", true},
		"an array of too many":               {"*1000000000\r\n", true},
		"an array whose values are too many": {"*5\r\n" + strings.Repeat(value(maxAnswer/4), 5), true},
		"arrays in arrays":                   {strings.Repeat("*65536\r\n", 10), true},
		"an error without end":               {"-" + strings.Repeat("e", maxAnswer+1), true},
		"a length that is none":              {"$1e9\r\n", true},
		"a negative length":                  {"$-2\r\n", true},
		"no length":                          {"*\r\n", true},
		"RESP3":                              {"%1\r\n+a\r\n_\r\n>2\r\n+b\r\n#t\r\n|1\r\n+c\r\n,1.5\r\n=5\r\ntxt:a\r\n~1\r\n(7\r\n!3\r\nERR\r\n" + value(maxAnswer-10), false},
		"a map of too many":                  {"%200000\r\n", true},
		"no answer at all":                   {"HTTP/1.1 400\r\n", true},
		"an empty line":                      {"\r\n", true},
	} {
		for _, piece := range []int{1, 7, 1 << 16, len(tt.answers)} {
			if piece == 1 && len(tt.answers) > 1<<16 {
				continue
			}
			if err := answersOf([]byte(tt.answers), piece); (err != nil) != tt.refused || tt.refused && !errors.Is(err, ErrAnswer) {
				t.Errorf("%s, in pieces of %d: %v", name, piece, err)
			}
		}
	}
}

// FuzzAnswers looks for a stream of answers that ends differently in other
// pieces, or holds more than its bound.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "$-1\r\n", "*65536\r\n*65536\r\n", "$99999999999999999999\r\n", "-ERR\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		whole, parts := answersOf(stream, len(stream)+1), answersOf(stream, max(piece, 1))
		if (whole == nil) != (parts == nil) {
			t.Fatalf("in one piece %v, in several %v", whole, parts)
		}
	})
}
