#!lua flags=allow-oom
-- Name a batch before anything of it is written; counts how often it was begun.
-- KEYS: group hash   ARGV: epoch, from offset, manifest
local held = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'manifest')
if held[1] ~= ARGV[1] then return {'FENCED', held[1] or ''} end
if (held[2] or '0') ~= ARGV[2] then return {'MISMATCH', held[2] or '0'} end
if held[3] == ARGV[3] then return {'OK', tostring(redis.call('HINCRBY', KEYS[1], 'attempts', 1))} end
redis.call('HSET', KEYS[1], 'manifest', ARGV[3])
redis.call('HSET', KEYS[1], 'attempts', '1')
return {'OK', '1'}
