#!lua
-- Put a group that nobody reads for elsewhere in a shard, if it still is where it was seen. What it was given before is
-- only a hint to its next owner, which goes by the position.
-- KEYS: stream, group hash   ARGV: group, position that was seen, position, id of the entry before it
local held = redis.call('HMGET', KEYS[2], 'owner', 'manifest', 'position')
if held[1] then return {'OWNED', held[1]} end
if held[2] then return {'BUSY', ''} end
if (held[3] or '0') ~= ARGV[2] then return {'MOVED', held[3] or '0'} end
redis.call('HSET', KEYS[2], 'position', ARGV[3], 'last_id', ARGV[4])
redis.call('HDEL', KEYS[2], 'attempts', 'alone', 'suspicion')
redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[4])
return {'OK', ARGV[3]}
