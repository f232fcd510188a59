#!lua flags=allow-oom
-- Become the one process that appends for a source, if nothing has changed since it looked: whoever did so before is
-- fenced from now on. KEYS: shard hash   ARGV: source, the epoch and the batch that were seen, the epoch wanted
local held = redis.call('HMGET', KEYS[1], ARGV[1] .. '.epoch', ARGV[1] .. '.batch')
if held[1] == ARGV[4] then return 'OK' end
if (held[1] or '0') ~= ARGV[2] or (held[2] or '0') ~= ARGV[3] then return 'CHANGED' end
redis.call('HSET', KEYS[1], ARGV[1] .. '.epoch', ARGV[4])
return 'OK'
