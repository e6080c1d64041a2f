package elastic

// marks are the state of a migration, in the metadata of the new index.
type marks struct {
	Old     string               `json:"old"`      // name of the old index
	OldUUID string               `json:"old_uuid"` // "": there is no migration
	Shards  map[string]shardMark `json:"shards"`   // by the number of the old index's shard
	// Blocked: the old index may be blocked for writes, by us.
	Blocked bool `json:"blocked"`
}

// shardMark is how much of a shard of the old index is in the new one.
type shardMark struct {
	History string `json:"history"` // sequence numbers are valid within one history
	Done    int64  `json:"done"`    // every operation up to this sequence number is copied
}
