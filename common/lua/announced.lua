#!lua
-- Return the smallest running number from which on another source of the shard gives again, '' if none does.
-- KEYS: shard hash   ARGV: source
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local least = ''
local facts = redis.call('HGETALL', KEYS[1])
for i = 1, #facts, 2 do
  local other = string.match(facts[i], '^(.*)%.again$')
  local start, told = string.match(facts[i + 1], '^(%d+) (%x+)$')
  if other and other ~= ARGV[1] and told == run and (least == '' or tonumber(start) < tonumber(least)) then
    least = start
  end
end
return least
