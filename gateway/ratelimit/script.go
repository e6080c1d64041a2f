package ratelimit

import "github.com/redis/go-redis/v9"

// spendScript takes a cost from a budget, as Limit.spend does. What is kept is
// when the budget is full, in seconds since 2017 by the server's clock, as
// redis_rate (https://github.com/go-redis/redis_rate) keeps it: the generic cell
// rate algorithm. That library believes any number; this script deletes what is
// none, is before 2017, or lies further ahead than an empty budget takes to
// fill, as after a step back of the server's clock.
//
// Its arguments are what a unit and a whole budget take to come back, in
// nanoseconds, and the cost, which is negative where it is given back. It returns four integers: 1 if it was paid, 0 if
// not, -1 if what was kept was impossible; whole units that are left; and in how
// many microseconds the cost can be paid, and the budget is full.
func spendScript() *redis.Script {
	return redis.NewScript(`
local clock = redis.call('TIME')
local now = (clock[1] - 1483228800) * 1000000 + clock[2] -- all in microseconds, as exact as doubles are
local unit, window, cost = ARGV[1] / 1000, ARGV[2] / 1000, tonumber(ARGV[3])
local kept = redis.pcall('GET', KEYS[1])
local full = now
if type(kept) == 'table' and kept.err then
  if not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
  full = nil
elseif kept then
  full = #kept <= 64 and string.match(kept, '^%d+%.?%d*$') and kept * 1000000
end
if not full or full > now + window + 1000 then -- a millisecond for rounding
  redis.call('DEL', KEYS[1])
  return {-1, 0, 0, 0}
end
local function left(used) return math.floor((window - used) / unit + 0.001) end
full = math.max(full, now)
local after = full + unit * cost
local missing = after - now - window
if missing > 0.5 then return {0, left(full - now), math.ceil(missing), math.ceil(full - now)} end
if after > now then
  redis.call('SET', KEYS[1], string.format('%.7f', after / 1000000), 'PX', math.ceil((after - now) / 1000))
elseif cost < 0 then
  redis.call('DEL', KEYS[1])
end
return {1, left(after - now), 0, math.ceil(after - now)}`)
}
