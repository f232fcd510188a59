#!lua flags=allow-oom
-- Append one record that no source repeats: what a person did.
-- KEYS: stream, shard hash   ARGV: data
local offset = tonumber(redis.call('HGET', KEYS[2], 'offset') or '0')
redis.call('XADD', KEYS[1], '*', 'o', string.format('%.0f', offset), 'n', '1', 'data', ARGV[1])
redis.call('HSET', KEYS[2], 'offset', string.format('%.0f', offset + 1))
return 'OK'
