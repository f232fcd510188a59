#!lua flags=allow-oom
-- Say that a process lives, on a full server too: there above all its figures are needed.
-- KEYS: hash   ARGV: seconds to keep it, {name, value} ...
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 'OK'
