-- Become the one process that appends for a source: whoever did so before is fenced from now on.
-- KEYS: shard hash   ARGV: source, by how much its epoch grows
local epoch = redis.call('HINCRBY', KEYS[1], ARGV[1] .. '.epoch', ARGV[2])
local held = redis.call('HMGET', KEYS[1], ARGV[1] .. '.batch', 'offset')
return {tostring(epoch), held[1] or '0', held[2] or '0'}
