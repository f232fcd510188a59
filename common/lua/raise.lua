#!lua flags=allow-oom
-- Have a shard count on from a running number, if it has not come that far, and remember that this server was told.
-- KEYS: shard hash   ARGV: running number
redis.call('HSET', KEYS[1], 'raised_run', string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
if tonumber(redis.call('HGET', KEYS[1], 'offset') or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'offset', ARGV[1])
return 1
