#!lua flags=allow-oom
-- Beat once more, or let go. KEYS: group hash   ARGV: epoch, 'beat' or 'release'
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if ARGV[2] == 'release' then redis.call('HDEL', KEYS[1], 'owner') else redis.call('HINCRBY', KEYS[1], 'beat', 1) end
return 'OK'
