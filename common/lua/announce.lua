#!lua flags=allow-oom
-- Tell the shard's other sources from which running number on a source gives again, or that it has done so ('').
-- It counts in this life of the server only: the next one may have forgotten that it is over.
-- KEYS: shard hash   ARGV: source, running number
local name = ARGV[1] .. '.again'
if ARGV[2] == '' then return redis.call('HDEL', KEYS[1], name) end
return redis.call('HSET', KEYS[1], name, ARGV[2] .. ' ' .. string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
