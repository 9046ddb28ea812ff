-- 16 requests in one write; wrk counts 16 responses for each.
local DEPTH = 16

function init(args)
  batch = string.rep(wrk.format(), DEPTH)
end

function request()
  return batch
end
