-- Requests for wrk: each a pair of caller and repository that was not asked for before, so that each token is signed.
-- Arguments: a file of Authorization headers, a file of paths, where to start.
-- The stride shares no factor with the number of pairs, so all of them come before any comes again.
local STRIDE = 618033
local headers, paths, at = {}, {}, 0
local host, connection

local function read(name, into)
  for line in io.lines(name) do
    into[#into + 1] = line
  end
end

function init(args)
  read(args[1], headers)
  read(args[2], paths)
  at = tonumber(args[3])
  host = wrk.host .. ":" .. wrk.port
  connection = wrk.headers["Connection"]
  connection = connection and "\r\nConnection: " .. connection or ""
end

function request()
  at = (at + STRIDE) % (#headers * #paths)
  local caller, path = math.floor(at / #paths) + 1, at % #paths + 1
  return "GET " .. paths[path] .. " HTTP/1.1\r\nHost: " .. host .. connection
    .. "\r\nAuthorization: " .. headers[caller] .. "\r\n\r\n"
end
