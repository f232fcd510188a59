-- Whether a shard takes nothing new yet: its server was started anew and may have lost what it had confirmed. Then the
-- sources give that again under its numbers, and the writer has the shard count on behind what its table holds. It is
-- over when all have been there, or after a while; those who are giving again are waited for longer.
local WHILE_MS, LONGEST_MS = 5000, 15000
local function is_settling(shard, source)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local held = redis.call('HMGET', shard, 'run', 'next_run', 'since_ms', 'offset')
  if held[1] == run then return false end
  local time = redis.call('TIME')
  local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local since_ms = held[2] == run and tonumber(held[3]) or now_ms
  if since_ms == now_ms then
    redis.call('HSET', shard, 'next_run', run, 'since_ms', string.format('%.0f', now_ms))
  end
  if source ~= '' then redis.call('HSET', shard, source .. '.run', run) end
  local facts, names = {}, redis.call('HGETALL', shard)
  for i = 1, #names, 2 do facts[names[i]] = names[i + 1] end
  local are_all, is_given = (facts['raised_run'] or run) == run, false  -- where there is a writer
  for name, value in pairs(facts) do
    local other, kind = string.match(name, '^(.*)%.(%a+)$')
    if kind == 'epoch' and facts[other .. '.run'] ~= run then are_all = false end
    if kind == 'again' and string.match(value, ' (%x+)$') == run then is_given = true end
  end
  local passed_ms = held[4] and now_ms - since_ms or LONGEST_MS  -- without a record there is nothing to lose
  if passed_ms >= 0 and passed_ms < (is_given and LONGEST_MS or are_all and 0 or WHILE_MS) then return true end
  redis.call('HSET', shard, 'run', run)
  return false
end
