#!lua
-- Put a dead letter back into the stream it came from, for the group that could not read it, and remember that: once.
-- KEYS: settled letters, stream, shard hash   ARGV: letter, group, number of lines, lines
--+ settling
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return {'KNOWN', known} end
if is_settling(KEYS[3], '') then return {'WAIT', ''} end
local offset = redis.call('HGET', KEYS[3], 'offset') or '0'
local stop = string.format('%.0f', tonumber(offset) + tonumber(ARGV[3]))
redis.call('XADD', KEYS[2], '*', 'o', offset, 'n', ARGV[3], 'data', ARGV[4], 'g', ARGV[2])
redis.call('HSET', KEYS[3], 'offset', stop)
local words = table.concat({'redriven', KEYS[2], offset, stop, ARGV[2]}, ' ')
redis.call('HSET', KEYS[1], ARGV[1], words)
return {'OK', words}
