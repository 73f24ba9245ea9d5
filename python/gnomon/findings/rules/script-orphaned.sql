-- id: script-orphaned
-- title: Script without an owner
-- severity: by row
-- attack: T1078
-- sentence: {script} still runs ({count:count time}, last on {last_seen}[[, {schedule:words}]]), but {why:words}
--   ({subject}).
-- remedy: The team that needs it names a new owner, who reads it and takes over its file; otherwise it is stopped.
-- needs: script_facts
--
-- A script still runs, and the account that its file belongs to does not exist any more, or is on the list of leavers, or
-- everybody who ran it is. High where nobody starts it by hand. Innocent: a container in which the owner's number has no
-- name, a person who only changed accounts.
select
    script,
    coalesce(owner, concat('uid ', owner_uid), users[1]) as subject,
    schedule,
    case
        when is_leaver and owner is not null and owner_exists = false
            then 'the owner of its file has no account any more and is on the list of leavers'
        when is_leaver and owner is not null then 'the owner of its file is on the list of leavers'
        when is_leaver then 'everybody who ran it is on the list of leavers'
        else 'the owner of its file has no account'
    end as why,
    if(schedule is null, 'medium', 'high') as severity,
    runs as count,
    first_seen,
    last_seen,
    [evidence] as records
from base.script_facts
where is_leaver or (owner_exists = false and form in ('file', 'module', 'archive', 'directory', 'kernel'))
