#!lua flags=allow-oom
-- Name a batch before anything of it is written; counts the lives that began it and did not finish it.
-- Refused when the batch's entries are gone: Redis came back without them, and they may be given again.
-- KEYS: group hash, source stream
-- ARGV: epoch, from offset, manifest, 'among' or 'alone' (other work in the process), '' not to count,
--       the id of an entry that must stand ('' for none)
local held = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'manifest')
if held[1] ~= ARGV[1] then return {'FENCED', held[1] or ''} end
if (held[2] or '0') ~= ARGV[2] then return {'MISMATCH', held[2] or '0'} end
if ARGV[5] ~= '' and #redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5]) == 0 then return {'GONE', ARGV[5]} end
if held[3] ~= ARGV[3] then redis.call('HSET', KEYS[1], 'manifest', ARGV[3]) end
if ARGV[4] == '' then return {'OK', redis.call('HGET', KEYS[1], 'attempts') or '0'} end
if held[3] ~= ARGV[3] then redis.call('HDEL', KEYS[1], 'attempts', 'alone') end
if ARGV[4] == 'alone' then redis.call('HINCRBY', KEYS[1], 'alone', 1) end
return {'OK', tostring(redis.call('HINCRBY', KEYS[1], 'attempts', 1))}
