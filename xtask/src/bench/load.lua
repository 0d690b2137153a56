-- Load for wrk: requests from the lines of files, one after another.
--   wrk … -s load.lua URL -- PATHS [BODIES]
-- PATHS has one path a line. With BODIES, one JSON body a line, every request is a POST to the first path.
local requests, turn = {}, 0

local function lines_of(name)
  local list = {}
  for line in io.lines(name) do list[#list + 1] = line end
  return list
end

function init(args)
  local paths = lines_of(args[1])
  if args[2] then
    for _, body in ipairs(lines_of(args[2])) do
      requests[#requests + 1] = wrk.format("POST", paths[1], { ["Content-Type"] = "application/json" }, body)
    end
  else
    for _, path in ipairs(paths) do requests[#requests + 1] = wrk.format("GET", path) end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %.0f %.0f %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
