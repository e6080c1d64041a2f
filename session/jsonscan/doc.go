// Package jsonscan finds where JSON values end, and iterates over objects and
// lists. It returns parts of the text and copies nothing.
//
// It checks only what it needs to find the ends, which makes it several times
// faster than a decoder. It is for text that has been validated, or comes from a
// store that contains only valid text. For any text, each call ends and never reads
// outside of it. The package depends on no other package of ours.
package jsonscan
