-- Let a question be asked if the venue's window has room and no ban is running; the window slides.
-- A question that is heavier than the whole budget is asked when nothing else was asked in this window.
-- KEYS: budget hash, ban   ARGV: weight, most in a window, window in s
local weight, most, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) * 1000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local window = math.floor(now / length)
local passed = now - window * length
local held = redis.call('HMGET', KEYS[1], 'window', 'spent', 'before')
local spent, before = 0, 0
if tonumber(held[1] or '-1') == window then
  spent, before = tonumber(held[2]), tonumber(held[3])
elseif tonumber(held[1] or '-1') == window - 1 then
  before = tonumber(held[2])
end
local cost = spent + math.floor(before * (length - passed) / length)
local banned = redis.call('PTTL', KEYS[2])
if banned > 0 then return {'WAIT', tostring(banned), tostring(cost)} end
if cost + weight > most and not (weight > most and spent == 0) then
  -- Room comes as the last window slides out; if even that is not enough, with the next one.
  local wait = length - passed
  if spent + weight <= most then wait = math.ceil((cost + weight - most) * length / before) end
  return {'WAIT', tostring(math.max(1, math.min(wait, length - passed))), tostring(cost)}
end
redis.call('HSET', KEYS[1], 'window', string.format('%.0f', window))
redis.call('HSET', KEYS[1], 'spent', string.format('%.0f', spent + weight))
redis.call('HSET', KEYS[1], 'before', string.format('%.0f', before))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * length))
return {'OK', '0', tostring(cost + weight)}
