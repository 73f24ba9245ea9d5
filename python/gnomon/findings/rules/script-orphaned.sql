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
with orphaned as (
    select *, owner_exists = false and form in ('file', 'module', 'archive', 'directory', 'kernel') as has_no_account
    from base.script_facts
)
select
    script,
    if(is_owner_leaver or has_no_account, coalesce(owner, concat('uid ', owner_uid)), list_sort(users)[1]) as subject,
    schedule,
    case
        when is_owner_leaver and has_no_account
            then 'the owner of its file has no account any more and is on the list of leavers'
        when is_owner_leaver then 'the owner of its file is on the list of leavers'
        when has_no_account then 'the owner of its file has no account'
        else 'everybody who ran it is on the list of leavers'
    end as why,
    if(schedule is null, 'medium', 'high') as severity,
    runs as count,
    first_seen,
    last_seen,
    [evidence] as records
from orphaned
where is_leaver or has_no_account
