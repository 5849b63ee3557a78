-- Questions to the gate for wrk: a line of a file each, "method uri authorization", one after the other.
local questions, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, uri, authorization = line:match("^(%S+) (%S+) (.+)$")
    questions[#questions + 1] = wrk.format("GET", "/internal/gate", {
      ["X-Gate-Method"] = method, ["X-Gate-Uri"] = uri, ["X-Real-IP"] = "127.0.0.1", ["Authorization"] = authorization,
    })
  end
end

function request()
  at = at % #questions + 1
  return questions[at]
end
