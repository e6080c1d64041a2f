// Command bench measures the gateway on real servers, beside what it is to be
// compared with, and writes what it finds as ratios:
//
//   - the gateway with its cache off ÷ the same searches straight at
//     Elasticsearch;
//   - a hit in Redis ÷ a bare Gin handler that GETs the same bytes from Redis;
//   - scopes of 1, 1,000 and 10,000 companies, asked for the first time and
//     again, on both engines;
//   - keywords of 1, 2, 3 and 12 characters, the same way.
//
// `make bench` runs it. All there is of the gateway here is its program and the
// wire: it runs as a process with settings that a user could give it. What is
// compared runs in turns of a second or two, so that other work on the machine
// hits both sides, and the median of the turns' ratios is what counts.
//
// The data is made once for each number of sessions and kept: SQLite's below
// the user's cache folder, Elasticsearch's in indices of their own.
package main
