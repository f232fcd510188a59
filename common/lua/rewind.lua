#!lua flags=allow-oom
-- Set a group back: what it has committed is not in its table any more. A batch in hand loses its name with it.
-- KEYS: group hash   ARGV: epoch, position, id of the entry before it
local held = redis.call('HGET', KEYS[1], 'epoch')
if held ~= ARGV[1] then return {'FENCED', held or ''} end
redis.call('HSET', KEYS[1], 'position', ARGV[2], 'last_id', ARGV[3], 'stored', ARGV[2])
redis.call('HDEL', KEYS[1], 'manifest', 'attempts', 'alone', 'suspicion')
return {'OK', ARGV[2]}
