-- What else is about them: scripts that others ran and whose file is theirs.
select distinct script, script_name, script_path, user, machine
from base.runs
where (script_owner = $name or script_owner_uid = $uid) and not (user = $name or uid = $uid)
order by script_name, user, machine
