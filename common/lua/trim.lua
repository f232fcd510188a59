#!lua flags=allow-oom
-- Remove what every registered group has committed and what is older than the retention: never an unread entry.
-- A group counts when it exists on the stream or has a hash of its own; one without a position has committed nothing,
-- and one with a saved state still needs what it has committed since.
-- KEYS: stream, group hash ...   ARGV: oldest id to keep by age, name of each group
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local known = {}
for i = 2, #KEYS do known[ARGV[i]] = KEYS[i] end
local function before(a, b)
  local a_ms, a_n = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_n = string.match(b, '(%d+)-(%d+)')
  if tonumber(a_ms) ~= tonumber(b_ms) then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_n) < tonumber(b_n)
end
local keep = ARGV[1]
for _, hash in pairs(known) do
  local held = redis.call('HMGET', hash, 'last_id', 'checkpoint_id')
  local last = held[1] or '0-0'
  if before(last, keep) then keep = last end
  if held[2] and before(held[2], keep) then keep = held[2] end
end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if not known[fields['name']] then
    -- A stranger's group: what it was given but has not acknowledged, and all behind that, is still needed.
    local need = fields['last-delivered-id']
    if fields['pending'] > 0 then
      need = redis.call('XPENDING', KEYS[1], fields['name'])[2]
    end
    if before(need, keep) then keep = need end
  end
end
return redis.call('XTRIM', KEYS[1], 'MINID', keep)
