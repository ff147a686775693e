-- Health of every kind of domicile.dev, by conditions that follow kstatus, and by Compliant, of which kstatus knows nothing:
-- https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
local function health(status, message)
  return {status = status, message = message}
end

-- The operator's own record of where copies are. It has no status.
if obj.kind == "Assignment" then
  return health("Healthy", "")
end

local said = obj.status or {}
if said.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator hasn't looked at it yet")
end

local conditions = {}
for _, condition in ipairs(said.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

-- It goes no further by itself.
if is("Stalled") then
  return health("Degraded", conditions.Stalled.message)
end

local ready, compliant = conditions.Ready, conditions.Compliant
if ready == nil then
  return health("Progressing", "the operator hasn't said whether it is ready")
end
if ready.status == "True" and (compliant == nil or compliant.status == "True") then
  return health("Healthy", ready.message)
end

-- It serves where it may not be: on its way to another place, or left there until somebody decides.
if ready.status == "True" then
  return health(is("MovePending") and "Progressing" or "Suspended", compliant.message)
end

-- As somebody has decided, or written.
local left = {Suspended = true, UpdateHeld = true, Planned = true, NotYetOnline = true, Closing = true, Offline = true}
return health(left[ready.reason] and "Suspended" or "Progressing", ready.message)
