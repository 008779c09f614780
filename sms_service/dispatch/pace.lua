-- One act on one account's token bucket. One script, because Redis runs it as a whole: two workers never spend the same
-- token. The time is Redis' own, so that workers' clocks play no part.
--
-- KEYS[1]  the bucket: tokens (parts; below 0: owed), at (when they were counted), rate (parts per second at that time),
--          halved_at (when the rate was last halved)
-- ARGV     act ('take', 'settle', 'throttled', 'rate'), configured parts per second,
--          parts (take: how many are wanted; settle: how many come back, below 0: how many more were used),
--          least (take: how many are worth having), now (seconds, in tests; else '')
-- Answers  parts granted, seconds until it is worth asking again, parts per second now
local LEAST_CAPACITY = tonumber(ARGV[6])
local MOST_OWED = 60       -- a bucket owes at most this many times what it can hold
local RETURN = 0.05        -- of the configured rate, regained in each second
local LONGEST_WAIT_S = 1   -- another worker may give parts back before the bucket has filled by itself
local SHORTEST_WAIT_S = 0.001
local FORGET_S = 3600

local key, act = KEYS[1], ARGV[1]
local configured, parts, least, now = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not now then
    local time = redis.call('TIME')
    now = time[1] + time[2] / 1000000
end

-- A bucket that is not there is empty: what was spent before a flush is not known.
local state = redis.call('HMGET', key, 'tokens', 'at', 'rate', 'halved_at')
local tokens = tonumber(state[1]) or 0
local at = math.min(tonumber(state[2]) or now, now)  -- a clock that was put back loses no more than what it jumped over
local rate = math.min(tonumber(state[3]) or configured, configured)
local halved_at = math.min(tonumber(state[4]) or 0, now)

-- The rate climbs in a straight line to the configured one; the tokens are the area below it.
local step = RETURN * configured
local climb = math.min(now - at, (configured - rate) / step)
tokens = tokens + climb * (rate + step * climb / 2) + (now - at - climb) * configured
rate = math.min(rate + step * climb, configured)

if act == 'throttled' and now - halved_at >= 1 then
    rate = math.max(rate / 2, math.min(1, configured))
    halved_at = now
end
local capacity = math.max(rate, LEAST_CAPACITY)

if act == 'settle' then
    tokens = math.max(tokens + parts, -MOST_OWED * math.max(configured, LEAST_CAPACITY))
end
tokens = math.min(tokens, capacity)

local granted, wait = 0, 0
if act == 'take' then
    -- More than the bucket holds is served when it is full, and owed, for it would be waited for in vain.
    local enough = math.min(least, capacity)
    if tokens >= enough then
        granted = math.min(parts, math.max(math.floor(tokens), least))
        tokens = tokens - granted
    else
        wait = math.max(SHORTEST_WAIT_S, math.min((enough - tokens) / rate, LONGEST_WAIT_S))
    end
end

if act ~= 'rate' then
    redis.call('HSET', key, 'tokens', tokens, 'at', now, 'rate', rate, 'halved_at', halved_at)
    redis.call('EXPIRE', key, FORGET_S)
end
return {granted, string.format('%.6f', wait), string.format('%.6f', rate)}
