package main

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestOnlyTheBlockOfThePageChanges(t *testing.T) {
	b, other := blockOf("bench"), blockOf("bench-cache")
	page := "# Page\n\n" + b.begin + "\nold\n" + b.end + "\n\n" + other.begin + other.end + "\n"
	got, err := b.replace([]byte(page), []byte("\nnew\n\n"))
	want := "# Page\n\n" + b.begin + "\n\nnew\n\n" + b.end + "\n\n" + other.begin + other.end + "\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, error %v; want %q", got, err, want)
	}
	again, err := b.replace(got, []byte("new"))
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("the same block again made %q, error %v", again, err)
	}
	for _, page := range []string{"", b.begin, b.end + b.begin, other.begin + other.end} {
		if _, err := b.replace([]byte(page), nil); !errors.Is(err, errNoBlock) {
			t.Errorf("%q: error %v, want %v", page, err, errNoBlock)
		}
	}
}

func TestFiguresAreAsLongAsTheyMeanSomething(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00 ms", 1234 * time.Microsecond: "1.23 ms", -50 * time.Microsecond: "-0.05 ms",
		12_340 * time.Microsecond: "12.3 ms", 250 * time.Millisecond: "250 ms", 1500 * time.Millisecond: "1,500 ms",
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 1_000_010: "1,000,010"} {
		if got := thousands(n); got != want {
			t.Errorf("%d = %q, want %q", n, got, want)
		}
	}
}

func TestATableIsMarkdown(t *testing.T) {
	var b bytes.Buffer
	table{title: "T", note: "N.", head: []string{"a", "b"}, rows: [][]string{{"1", "2"}}}.markdown(&b)
	if want := "### T\n\nN.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
