-- Let a question be asked if no ban is running and the window has room. The window slides in tenths; what a question
-- has cost counts for one tenth longer than the window, so that no stretch of its length ever holds more.
-- A question that is heavier than the whole budget is asked when nothing else counts.
-- KEYS: budget hash (tenth -> weight), ban   ARGV: weight, most in a window, window in s
local weight, most, tenth = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) * 100
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local at = math.floor(now / tenth)
local cost, oldest = 0, at
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local number = tonumber(held[i])
  if number < at - 10 or number > at then
    redis.call('HDEL', KEYS[1], held[i])
  else
    cost = cost + tonumber(held[i + 1])
    oldest = math.min(oldest, number)
  end
end
local banned = redis.call('PTTL', KEYS[2])
if banned > 0 then return {'WAIT', tostring(banned), tostring(cost)} end
if cost > 0 and cost + weight > most then
  return {'WAIT', string.format('%.0f', (oldest + 11) * tenth - now), tostring(cost)}
end
redis.call('HINCRBY', KEYS[1], string.format('%.0f', at), weight)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 11 * tenth))
return {'OK', '0', tostring(cost + weight)}
