-- Become the one process that appends for a source: whoever did so before is fenced from now on.
-- KEYS: shard hash   ARGV: source
local epoch = redis.call('HINCRBY', KEYS[1], ARGV[1] .. '.epoch', 1)
return {tostring(epoch), redis.call('HGET', KEYS[1], ARGV[1] .. '.batch') or '0'}
