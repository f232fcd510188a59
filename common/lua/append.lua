#!lua
-- Append entries to a shard, and with them the source's cursor, its marks and its state: all or nothing.
-- KEYS: stream, shard hash, state keys ...
-- ARGV: source, epoch, previous batch, new batch, least running number, the only running number ('' for any),
--       number of entries, {n, data} ..., number of marks, {symbol, sequence} ..., one value per state key
-- With an only number the entries are given again: they go in unless an entry stands behind that number (TAKEN).
--+ settling
local stream, shard = KEYS[1], KEYS[2]
local source, epoch, previous, new = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local held = redis.call('HMGET', shard, source .. '.epoch', source .. '.batch', 'offset', source .. '.end')
if held[1] ~= epoch then return {'FENCED', held[1] or ''} end
local batch = held[2] or '0'
if batch == new then return {'DUP', held[4] or held[3] or '0'} end
if batch ~= previous then return {'MISMATCH', batch} end
if ARGV[6] == '' and is_settling(shard, source) then return {'WAIT', ''} end
local offset = tonumber(held[3] or '0')
local known = offset
local entries = tonumber(ARGV[7])
if ARGV[6] ~= '' then
  local stop = -1
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local fields = last and last[2] or {}
  if fields[1] == 'o' and fields[3] == 'n' then stop = tonumber(fields[2]) + tonumber(fields[4]) end
  offset = tonumber(ARGV[6])
  if stop > offset then return {'TAKEN', string.format('%.0f', stop)} end
elseif offset < tonumber(ARGV[5]) and entries > 0 then
  offset = tonumber(ARGV[5])
end
local at = 8
for _ = 1, entries do
  redis.call('XADD', stream, '*', 'o', string.format('%.0f', offset), 'n', ARGV[at], 'data', ARGV[at + 1])
  offset = offset + tonumber(ARGV[at])
  at = at + 2
end
local stop = string.format('%.0f', offset)
redis.call('HSET', shard, 'offset', string.format('%.0f', math.max(offset, known)), source .. '.batch', new, source .. '.end', stop)
for _ = 1, tonumber(ARGV[at]) do
  redis.call('HSET', shard, source .. '.mark.' .. ARGV[at + 1], ARGV[at + 2])
  at = at + 2
end
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[at + i - 2]) end
return {'OK', stop}
