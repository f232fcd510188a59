#!lua flags=allow-oom
-- Own a shard for a group: free, or its owner's heart has not beaten since the challenger looked, or it is our own name.
-- KEYS: group hash   ARGV: owner, the owner and the beat that the challenger saw stand still ('' for none),
--                           by how much the epoch grows
local held = redis.call('HMGET', KEYS[1], 'owner', 'beat')
local owner = held[1] or ''
if owner ~= '' and owner ~= ARGV[1] and not (owner == ARGV[2] and held[2] == ARGV[3]) then
  return {'HELD', owner, held[2] or ''}
end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', ARGV[4])
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'beat', 1)
local kept = redis.call('HMGET', KEYS[1], 'position', 'last_id', 'manifest', 'attempts', 'alone', 'suspicion',
                        'stored')
return {'OK', string.format('%.0f', epoch), kept[1] or '0', kept[2] or '0-0', kept[3] or '', kept[4] or '0',
        kept[5] or '0', kept[6] or '', kept[7] or '0'}
