-- id: script-orphaned
-- title: Script without an owner
-- severity: by row
-- attack: T1078
-- remedy: The team that needs it names a new owner, who reads it and takes over its file; otherwise it is stopped.
-- needs: script_facts
--
-- A script still runs, and the account that its file belongs to does not exist any more, or is on the list of leavers, or
-- everybody who ran it is. High where nobody starts it by hand. Innocent: a container in which the owner's number has no
-- name, a person who only changed accounts.
select
    script,
    coalesce(owner, concat('uid ', owner_uid), users[1], '?') as subject,
    concat(
        shown(name), ' still runs (', counted(runs, 'time'), ', last on ', on_day(last_seen),
        coalesce(concat(', ', schedule), ''), '), but ',
        case
            when is_leaver and owner is not null then concat('its owner ', shown(owner), ' is on the list of leavers')
            when is_leaver then 'everybody who ran it is on the list of leavers'
            when owner is null then concat('its owner, number ', owner_uid, ', has no account')
            else concat('the account of its owner ', shown(owner), ' is gone')
        end,
        '.'
    ) as sentence,
    if(schedule is null, 'medium', 'high') as severity,
    runs as count,
    first_seen,
    last_seen,
    [evidence] as records
from base.script_facts
where is_leaver or (owner_exists = false and form in ('file', 'module', 'archive', 'directory', 'kernel'))
