package params

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// checkEnum checks texts against the parameter's enumeration.
func (p param) checkEnum(texts []string) error {
	var unknown []string
	for _, text := range texts {
		if !slices.Contains(p.enum, text) && !slices.Contains(unknown, text) {
			unknown = append(unknown, text)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	const fewEnough = 20
	known := "see /docs for those there are"
	if len(p.enum) <= fewEnough {
		known = "there is " + strings.Join(p.enum, ", ")
	}
	return problem("does not know " + listUnknown(unknown, p.enum) + "; " + known)
}

// nearest returns the known name that may be meant by a misspelled one, "" if none is
// near. Near is a distance of at most 2, and of less than half of the letters,
// ignoring case.
func nearest(name string, known []string) string {
	const farthest = 2
	name = strings.ToLower(name)
	best, bestDistance := "", farthest+1
	for _, candidate := range known {
		gap := utf8.RuneCountInString(name) - utf8.RuneCountInString(candidate)
		if gap > farthest || gap < -farthest {
			continue
		}
		d := distance(name, strings.ToLower(candidate))
		if d < bestDistance && 2*d < utf8.RuneCountInString(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace, or swap with their
// neighbour, to get from a to b (optimal string alignment).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	// Rows i-2, i-1 and i of the table.
	before, last, row := make([]int, len(to)+1), make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(from); i++ {
		row[0] = i
		for j := 1; j <= len(to); j++ {
			replace := last[j-1]
			if from[i-1] != to[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(to)]
}
