/**
 * What happens to the records of files in one step of Redis'. Bytes are accounted for when a segment
 * joins its file, and given back when the file is removed; nothing else changes the sum.
 */

/** A Lua function: adds segments to a file, `ends` being when it is removed if nothing else happens. */
export const APPEND_FUNCTION = `
local function appendSegments(bytesKey, totalKey, endsKey, segmentsKey, id, ends, segments)
  local sum = 0
  for _, segment in ipairs(segments) do
    redis.call('RPUSH', segmentsKey, segment)
    sum = sum + tonumber(string.match(segment, '^%d+'))
  end
  redis.call('HINCRBY', bytesKey, id, sum)
  redis.call('INCRBY', totalKey, sum)
  redis.call('ZADD', endsKey, ends, id)
end
`;

/**
 * Adds a segment to an upload.
 * KEYS: bytes by file, their sum, ends, segments. ARGV: id, how many segments it has, segment, its bytes,
 * ends, limit of the sum. Returns `ok`, `full`, or `moved` if it has another number of segments.
 */
export const APPEND = `${APPEND_FUNCTION}
if redis.call('LLEN', KEYS[4]) ~= tonumber(ARGV[2]) then return 'moved' end
if tonumber(redis.call('GET', KEYS[2]) or 0) + tonumber(ARGV[4]) > tonumber(ARGV[6]) then return 'full' end
appendSegments(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[5], {ARGV[3]})
return 'ok'
`;

/** A Lua function: a file that is written can be read from now on. */
export const PUBLISH_FUNCTION = `
local function publishFile(bytesKey, endsKey, filesKey, purposeKey, fileKey, id, record, created, ends)
  redis.call('SET', fileKey, record)
  redis.call('HINCRBY', bytesKey, id, 0)
  redis.call('ZADD', endsKey, ends, id)
  redis.call('ZADD', filesKey, created, id)
  redis.call('ZADD', purposeKey, created, id)
end
`;

/** KEYS: bytes by file, ends, files, files of the purpose, file. ARGV: id, record, created, ends, most files. */
export const PUBLISH = `${PUBLISH_FUNCTION}
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return 'full' end
publishFile(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 'ok'
`;

/**
 * KEYS: bytes by file, their sum, ends, files, files of either purpose, file, segments. ARGV: id.
 * Returns whether it could be read, and its segments.
 */
export const REMOVE = `
local segments = redis.call('LRANGE', KEYS[8], 0, -1)
redis.call('DECRBY', KEYS[2], tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0))
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
for i = 4, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
local existed = redis.call('DEL', KEYS[7])
redis.call('DEL', KEYS[8])
return {existed, segments}
`;
