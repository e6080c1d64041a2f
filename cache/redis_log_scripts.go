package cache

import "github.com/redis/go-redis/v9"

// The log changes by these scripts only, so that its head always tells of its
// stream. Their keys are the head and the stream.

// claimScript returns the head, which it makes, with the epoch given, if there
// is none: what the stream then holds is of no known epoch.
func claimScript() *redis.Script {
	return redis.NewScript(`
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', '0')
end
return redis.call('HMGET', KEYS[1], 'epoch', 'seq')`)
}

// renewScript replaces an epoch unless that was done.
func renewScript() *redis.Script {
	return redis.NewScript(`
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'seq', '0')
end`)
}

// appendScript appends unless another was first: the MAC is over the sequence.
// The last entry stays, however old: followers go on from it.
func appendScript() *redis.Script {
	return redis.NewScript(`
local head = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return 0 end
local oldest = tonumber(redis.call('TIME')[1]) * 1000 - tonumber(ARGV[6])
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last then oldest = math.min(oldest, tonumber(string.match(last[1], '^%d+'))) end
redis.call('XADD', KEYS[2], 'MINID', '=', string.format('%.0f', oldest), '*', 'seq', ARGV[3], 'body', ARGV[4], 'mac', ARGV[5])
redis.call('HSET', KEYS[1], 'seq', ARGV[3])
return 1`)
}
