#!lua flags=allow-oom
-- Finish a batch: what it gave goes to its streams, its entries are acknowledged, the position moves on, its name goes.
-- A state that is saved belongs to the place behind the batch; `checkpoint_id` holds back the trimming of what follows.
-- KEYS: source stream, group hash, checkpoint hash, set of records put aside,
--       {target stream, target shard hash} ..., sets of words ...
-- ARGV: group, epoch, from offset, to offset, last id ('' when no entry is finished), suspicion ('' for none),
--       number of states (0 or 1), state, number put aside, running number ..., number of ids, id ...,
--       number of targets, then per target: number of entries, {n, data} ...; then per set: number of words, word ...;
--       the running number behind the last row that stands in the group's table ('' for none),
--       the id of an entry that must stand ('' for none): Redis may have come back without what it gave
--+ settling
local held = redis.call('HMGET', KEYS[2], 'epoch', 'position', 'last_id')
if held[1] ~= ARGV[2] then return {'FENCED', held[1] or ''} end
if (held[2] or '0') == ARGV[4] and ARGV[3] ~= ARGV[4] then return {'DUP', ARGV[4]} end
if (held[2] or '0') ~= ARGV[3] then return {'MISMATCH', held[2] or '0'} end
local seen = ARGV[#ARGV]
if seen ~= '' and #redis.call('XRANGE', KEYS[1], seen, seen) == 0 then return {'GONE', seen} end
local count = 10 + tonumber(ARGV[9])
count = count + 1 + tonumber(ARGV[count])
for i = 5, 3 + 2 * tonumber(ARGV[count]), 2 do
  if is_settling(KEYS[i + 1], '') then return {'WAIT', ''} end
end
local at = 9
for i = at + 1, at + tonumber(ARGV[at]) do redis.call('ZADD', KEYS[4], ARGV[i], ARGV[i]) end
at = at + 1 + tonumber(ARGV[at])
for i = at + 1, at + tonumber(ARGV[at]) do redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
at = at + 1 + tonumber(ARGV[at])
local targets = tonumber(ARGV[at])
at = at + 1
for i = 5, 3 + 2 * targets, 2 do
  local entries = tonumber(ARGV[at])
  at = at + 1
  if entries > 0 then
    local offset = tonumber(redis.call('HGET', KEYS[i + 1], 'offset') or '0')
    for _ = 1, entries do
      redis.call('XADD', KEYS[i], '*', 'o', string.format('%.0f', offset), 'n', ARGV[at], 'data', ARGV[at + 1])
      offset = offset + tonumber(ARGV[at])
      at = at + 2
    end
    redis.call('HSET', KEYS[i + 1], 'offset', string.format('%.0f', offset))
  end
end
for i = 5 + 2 * targets, #KEYS do
  for word = at + 1, at + tonumber(ARGV[at]) do redis.call('SADD', KEYS[i], ARGV[word]) end
  at = at + 1 + tonumber(ARGV[at])
end
local last = ARGV[5] ~= '' and ARGV[5] or held[3] or '0-0'
redis.call('HSET', KEYS[2], 'position', ARGV[4])
redis.call('HSET', KEYS[2], 'last_id', last)
redis.call('HDEL', KEYS[2], 'manifest', 'attempts', 'alone', 'suspicion')
if ARGV[#ARGV - 1] ~= '' then redis.call('HSET', KEYS[2], 'stored', ARGV[#ARGV - 1]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[2], 'suspicion', ARGV[6]) end
if ARGV[7] == '1' then
  for name, value in pairs({position = ARGV[4], last_id = last, state = ARGV[8]}) do
    redis.call('HSET', KEYS[3], name, value)
  end
  redis.call('HSET', KEYS[2], 'checkpoint_id', last)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[4])
end
return {'OK', ARGV[4]}
