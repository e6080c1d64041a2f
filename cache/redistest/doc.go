// Package redistest runs redis-servers of a test's own: one, a Cluster, or one
// with a replica that Sentinels watch. They may be killed, held and started
// again, and end with their test.
package redistest
