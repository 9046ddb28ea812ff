-- A different Cookie, Referer and X-Request-Id with every request, so that nothing remembered
-- of an earlier head helps with the next one.
local VARYING = "Cookie: session=%08x%08x; csrf=%08x%08x\r\n"
  .. "Referer: https://www.example.org/catalogue/%d\r\n"
  .. "X-Request-Id: %08x-%08x\r\n\r\n"
local count = 0

function init(args)
  head = wrk.format():sub(1, -3)
end

function request()
  count = count + 1
  local a = count * 2654435761 % 4294967296
  local b = count * 40503 % 4294967296
  return head .. VARYING:format(a, b, b, a, count, b, count)
end
