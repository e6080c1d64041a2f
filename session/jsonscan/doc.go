// Package jsonscan finds where values of JSON end, and walks over objects and
// lists. It hands out parts of the text and copies nothing.
//
// It checks no more than it needs to find the ends, which makes it several times
// faster than a decoder: it is for text that has been validated, or comes out of a
// store that holds nothing else. Whatever the text, each call ends and stays within
// it. It depends on no other package of ours.
package jsonscan
