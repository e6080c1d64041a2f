package redislog

import "github.com/redis/go-redis/v9"

// The log changes by these scripts only, so that its head always matches its
// stream. Their keys are the head, the stream and, for Page, the beat.

// scriptHead begins each script. It sets run, which names this term of the server
// as a master, and reads the head into epoch and seq: both are nil if there is
// none that this term has begun. A key of another type holds nothing. Any other
// fault ends the script.
//
// A term ends when the process does, and with it its run_id; or when the server
// becomes a replica: a promotion gives it another master_replid
// (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/,
// "Replication ID explained"), whether it has synced meanwhile or not.
const scriptHead = `
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not process then return redis.error_reply('ERR the server does not tell its run_id') end
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local run = string.sub(process, 1, 12) .. string.sub(replication, 1, 12)
local function foreign(reply)
  return type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true)
end
local function failed(reply) return type(reply) == 'table' and reply.err and not foreign(reply) end
local head = redis.pcall('HMGET', KEYS[1], 'epoch', 'seq')
if failed(head) then return head end
local epoch, seq
if not foreign(head) and head[1] and head[2] and #head[1] <= 64 and #head[2] <= 19
  and string.sub(head[1], -#run - 1) == '.' .. run and string.match(head[2], '^%d+$') then
  epoch, seq = head[1], head[2]
end
`

// claimScript returns the head. It begins a new epoch with the name given, and
// an empty stream, if there is no head of this term, if the epoch is the one
// that is refused, or if the key of the stream has another type.
func claimScript() *redis.Script {
	return redis.NewScript(scriptHead + `
local stream = redis.pcall('XREAD', 'COUNT', 1, 'STREAMS', KEYS[2], '$') -- reads nothing; fails where there is no stream
if failed(stream) then return stream end
if not epoch or epoch == ARGV[2] or foreign(stream) then
  redis.call('DEL', KEYS[1], KEYS[2])
  epoch, seq = ARGV[1] .. '.' .. run, '0'
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', seq)
end
return {epoch, seq}`)
}

// pageScript returns the head and the entries of a range, in the order of the
// command, each as its id, sequence, body and MAC. Behind the head it says
// whether that is all: "", "more", or "damaged" where an entry cannot be read, or
// is longer than any may be.
//
// It writes first: a replica, and a master that may not write, refuse it, and
// so does one that has no room for another entry.
func pageScript() *redis.Script {
	return redis.NewScript(`redis.call('SET', KEYS[3], '1', 'PX', ARGV[7])` + scriptHead + `
if not epoch then return {'', '', ''} end
local page, held, from = {epoch, seq, ''}, 0, ARGV[2]
for _ = 1, tonumber(ARGV[4]) do
  local list = redis.pcall(ARGV[1], KEYS[2], from, ARGV[3], 'COUNT', 1)
  if failed(list) then return list end
  if foreign(list) then return {'', '', ''} end
  local entry = list[1]
  if not entry then return page end
  local fields, length = entry[2], 0
  for _, field in ipairs(fields) do length = length + #field end
  if #fields ~= 6 or fields[1] ~= 'seq' or fields[3] ~= 'body' or fields[5] ~= 'mac' or length > tonumber(ARGV[5]) then
    page[3] = 'damaged'
    return page
  end
  held = held + length
  if held > tonumber(ARGV[6]) and #page > 3 then break end
  for _, value in ipairs({entry[1], fields[2], fields[4], fields[6]}) do page[#page + 1] = value end
  from = '(' .. entry[1]
end
page[3] = 'more'
return page`)
}

// appendScript appends unless another was first: the MAC is over the sequence.
// It returns the entry's id, or "". The last entry stays, however old:
// followers go on from it.
func appendScript() *redis.Script {
	return redis.NewScript(scriptHead + `
if epoch ~= ARGV[1] or seq ~= ARGV[2] then return '' end
local oldest = tonumber(redis.call('TIME')[1]) * 1000 - tonumber(ARGV[6])
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last then oldest = math.min(oldest, tonumber(string.match(last[1], '^%d+'))) end
local id = redis.call('XADD', KEYS[2], 'MINID', '=', string.format('%.0f', oldest), '*', 'seq', ARGV[3], 'body', ARGV[4], 'mac', ARGV[5])
redis.call('HSET', KEYS[1], 'seq', ARGV[3])
return id`)
}
