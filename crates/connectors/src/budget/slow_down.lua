-- Holds everybody back after a 429. All times are microseconds by Redis's own clock.
-- KEYS[1] the hash that claim.lua describes; `strikes` counts the 429s that came one after the other
-- ARGV    1 how long Billz asked for (-1: it did not say), 2 the first penalty where it did not, 3 the longest such
-- Returns for how long everybody is held back from now on.
local asked, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local held = redis.call('HMGET', KEYS[1], 'penalty', 'strikes')
local penalty, strikes = tonumber(held[1] or 0), tonumber(held[2] or 0)
local forget = 60000000

if asked < 0 then
  if penalty > now then
    -- The answer to a call that was under way when the penalty began.
    return math.ceil(penalty - now)
  end
  if now - penalty > forget then strikes = 0 end
  asked = math.min(first * 2 ^ math.min(strikes, 20), longest)
  redis.call('HSET', KEYS[1], 'strikes', strikes + 1)
end
penalty = math.max(penalty, now + asked)
redis.call('HSET', KEYS[1], 'penalty', string.format('%.0f', penalty))
redis.call('PEXPIRE', KEYS[1], math.ceil((penalty - now + forget) / 1000))
return math.ceil(penalty - now)
