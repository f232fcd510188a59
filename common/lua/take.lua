#!lua
-- Take a shard from its owner, if it still is the one that was seen: whatever it does from now on is fenced.
-- KEYS: group hash   ARGV: owner, by how much the epoch grows
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 'CHANGED' end
redis.call('HINCRBY', KEYS[1], 'epoch', ARGV[2])
redis.call('HDEL', KEYS[1], 'owner')
return 'OK'
