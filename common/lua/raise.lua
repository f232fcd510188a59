#!lua flags=allow-oom
-- Have a shard count on from a running number, if it has not come that far.
-- KEYS: shard hash   ARGV: running number
if tonumber(redis.call('HGET', KEYS[1], 'offset') or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'offset', ARGV[1])
return 1
