#!lua flags=allow-oom
-- Append entries to a shard at once, as the owner of another shard.
-- KEYS: group hash, target stream, target shard hash   ARGV: epoch, {n, data} ...
--+ settling
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if is_settling(KEYS[3], '') then return 'WAIT' end
local offset = tonumber(redis.call('HGET', KEYS[3], 'offset') or '0')
for at = 2, #ARGV, 2 do
  redis.call('XADD', KEYS[2], '*', 'o', string.format('%.0f', offset), 'n', ARGV[at], 'data', ARGV[at + 1])
  offset = offset + tonumber(ARGV[at])
end
redis.call('HSET', KEYS[3], 'offset', string.format('%.0f', offset))
return 'OK'
