-- Takes the next slot if it is there and nobody with a better right waits for it; else notes who waits.
-- All times are microseconds by Redis's own clock. One hash holds everything:
--   next      when the next slot comes
--   penalty   until when everybody is held back after a 429
--   w:<ticket>  "urgency:arrival:lease" of a waiting call; whoever does not come back within its lease is forgotten
-- KEYS[1] the hash
-- ARGV    1 spacing, 2 tolerance, 3 grace, 4 floor, 5 urgency (0 payment, 1 ordinary), 6 age, 7 ticket, 8 lease
-- Returns {1, 0} when the slot was taken, else {0, microseconds to wait}.
local spacing, tolerance, grace = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local floor, urgency, age, lease = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local me = 'w:' .. ARGV[7]

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local slot, penalty, arrival = 0, 0, now - age
local others = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  if field == 'next' then
    slot = tonumber(value)
  elseif field == 'penalty' then
    penalty = tonumber(value)
  elseif field == me then
    arrival = tonumber(string.match(value, '^%d+:(%d+):'))
  elseif string.sub(field, 1, 2) == 'w:' then
    local their_urgency, their_arrival, their_lease = string.match(value, '^(%d+):(%d+):(%d+)$')
    if tonumber(their_lease) < now then
      redis.call('HDEL', KEYS[1], field)
    else
      others[#others + 1] = {tonumber(their_urgency), tonumber(their_arrival), field}
    end
  end
end

-- After a fail-over to a server whose clock is behind, a slot may seem far away.
if slot > now + spacing then slot = now + spacing end

local rank = 0
for _, other in ipairs(others) do
  local before = other[1] < urgency
  if other[1] == urgency then
    before = other[2] < arrival or (other[2] == arrival and other[3] < me)
  end
  if before then rank = rank + 1 end
end

-- Who comes later in the line may take a slot only after those before it have let it lie for a while.
local mine = math.max(math.max(slot, penalty) + rank * grace, now + floor)
if now >= mine then
  redis.call('HSET', KEYS[1], 'next', string.format('%.0f', math.max(slot, now - tolerance) + spacing))
  redis.call('HDEL', KEYS[1], me)
  redis.call('PEXPIRE', KEYS[1], math.ceil((spacing + lease) / 1000) + 60000)
  return {1, 0}
end
redis.call('HSET', KEYS[1], me, string.format('%d:%.0f:%.0f', urgency, arrival, now + lease))
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(mine - now, spacing) + lease) / 1000) + 60000)
return {0, math.ceil(mine - now)}
