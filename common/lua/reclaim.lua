-- Become the source again on a server that has lost what it confirmed, with a newer epoch than any it may remember.
-- KEYS: shard hash   ARGV: source, its epoch, the epoch it wants
local held = redis.call('HMGET', KEYS[1], ARGV[1] .. '.epoch', ARGV[1] .. '.batch', 'offset')
if tonumber(held[1] or '0') > tonumber(ARGV[2]) and held[1] ~= ARGV[3] then return {'FENCED', held[1], ''} end
redis.call('HSET', KEYS[1], ARGV[1] .. '.epoch', ARGV[3])
return {'OK', held[2] or '0', held[3] or '0'}
