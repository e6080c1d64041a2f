package reason

import "strings"

// redisWords returns the words for an error in an answer of Redis. The text itself
// is not used: it may repeat the command. Only its first word is used, which comes
// from a small vocabulary (redis.io/docs/latest/develop/reference/protocol-spec,
// "Simple errors").
func redisWords(text string) string {
	code, rest, _ := strings.Cut(text, " ")
	switch code {
	case "WRONGPASS":
		return "Redis refused the user or password (WRONGPASS)"
	case "NOAUTH":
		return "Redis wants a password (NOAUTH)"
	case "NOPERM":
		return "Redis user lacks a permission (NOPERM)"
	case "OOM":
		return "Redis has no memory left (OOM)"
	case "READONLY":
		return "Redis is a replica that takes no writes (READONLY)"
	case "MISCONF":
		return "Redis cannot save to its disk and takes no writes (MISCONF)"
	case "LOADING":
		return "Redis is loading its data (LOADING)"
	case "CLUSTERDOWN":
		return "Redis Cluster is down (CLUSTERDOWN)"
	case "MASTERDOWN":
		return "Redis has lost its master (MASTERDOWN)"
	case "BUSY":
		return "Redis is busy with a script (BUSY)"
	case "MOVED", "ASK", "CROSSSLOT", "TRYAGAIN":
		return "Redis is a cluster, or its slots are moving (" + code + "): see redis.cluster"
	case "NOREPLICAS", "NOSCRIPT", "UNBLOCKED", "WRONGTYPE", "EXECABORT":
		return "Redis answered " + code
	case "ERR":
		return redisErrWords(rest)
	}
	return "Redis answered with an error"
}

func redisErrWords(text string) string {
	for _, known := range []struct{ begins, words string }{
		{"invalid password", "Redis refused the password"},
		{"AUTH", "Redis has no password, but redis.password is set"},
		{"Client sent AUTH", "Redis has no password, but redis.password is set"},
		{"DB index is out of range", "Redis has no such database: see redis.db"},
		{"SELECT is not allowed in cluster mode", "Redis is a cluster, which has no redis.db but 0"},
		{"max number of clients reached", "Redis takes no more connections"},
		{"unknown command", "Redis does not know a command"},
	} {
		if strings.HasPrefix(text, known.begins) {
			return known.words
		}
	}
	return "Redis answered ERR"
}
