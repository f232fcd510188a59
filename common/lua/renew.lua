#!lua flags=allow-oom
-- Beat once more, or let go; whoever lets go may save the state that belongs to the committed position.
-- KEYS: group hash, checkpoint hash   ARGV: epoch, 'beat' or 'release', then perhaps position, last id, state
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'FENCED' end
if ARGV[2] == 'beat' then
  redis.call('HINCRBY', KEYS[1], 'beat', 1)
  return 'OK'
end
if ARGV[3] and redis.call('HGET', KEYS[1], 'position') == ARGV[3] then
  for name, value in pairs({position = ARGV[3], last_id = ARGV[4], state = ARGV[5]}) do
    redis.call('HSET', KEYS[2], name, value)
  end
  redis.call('HSET', KEYS[1], 'checkpoint_id', ARGV[4])
end
redis.call('HDEL', KEYS[1], 'owner')
return 'OK'
