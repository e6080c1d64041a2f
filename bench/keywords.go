package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// nameSample is how many of the newest sessions lend their names to keywords.
const nameSample = 1000

// names are the clients' names of the newest sessions.
func names(ctx context.Context, c caller) ([]string, error) {
	requests, err := c.searches([]query{everything().and(pageOnly()).and(query{"fields": []string{"name"}, "limit": nameSample})})
	if err != nil {
		return nil, err
	}
	bodies, err := answers(ctx, c.address, requests)
	if err != nil {
		return nil, err
	}
	var page struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	if err := json.Unmarshal(bodies[0], &page); err != nil {
		return nil, err
	}
	var found []string
	for _, item := range page.Items {
		if item.Name != "" {
			found = append(found, item.Name)
		}
	}
	return found, nil
}

var errFewKeywords = errors.New("the sessions have too few different names: load more of them")

// keywords draws n different keywords of so many characters out of the names:
// short ones from anywhere in a word, as they match anywhere, long ones from the
// beginning of a name, as they are typed.
func (d dice) keywords(names []string, n, length int) ([]string, error) {
	if len(names) == 0 {
		return nil, errFewKeywords
	}
	const tries = 1000
	known := map[string]bool{}
	var drawn []string
	for range n * tries {
		if len(drawn) == n {
			return drawn, nil
		}
		keyword, ok := d.keyword(names[d.IntN(len(names))], length)
		if ok && !known[strings.ToLower(keyword)] {
			known[strings.ToLower(keyword)] = true
			drawn = append(drawn, keyword)
		}
	}
	return nil, fmt.Errorf("%w: %d keywords of %d characters instead of %d", errFewKeywords, len(drawn), length, n)
}

// longKeyword is from how many characters on a keyword is the beginning of a
// name.
const longKeyword = 8

func (d dice) keyword(name string, length int) (string, bool) {
	runes := []rune(name)
	if len(runes) < length {
		return "", false
	}
	if length < longKeyword {
		runes = runes[d.IntN(len(runes)-length+1):]
	}
	runes = runes[:length]
	for i, r := range runes {
		// A word of one letter would be the dear part of a longer keyword.
		inside := length >= longKeyword && i > 1 && i < length-2
		if !unicode.IsLetter(r) && (r != ' ' || !inside) {
			return "", false
		}
	}
	return string(runes), true
}
