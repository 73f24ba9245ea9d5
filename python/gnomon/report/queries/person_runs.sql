-- Runs of a person, and of scripts whose file is theirs.
select process, user, uid, machine, machine_id, pid, parent, started, ended, last_seen, status, script, script_name,
    script_form, script_path, script_owner, argv, directory, executable, python, records, gnomon
from base.runs
where user = $name or uid = $uid
order by started, process
