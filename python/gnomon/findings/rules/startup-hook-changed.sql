-- id: startup-hook-changed
-- title: Changed code at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: {what:words}, on {machines}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_rows
--
-- A file that runs code whenever a Python of its environment starts is not what it was. High where no installed distribution vouches for it. Innocent: an update.
select
    null::varchar as script,
    path as subject,
    sentence as what,
    severity,
    concat(upper(remedy[1]), remedy[2:], '.') as remedy,
    1 as count,
    time as first_seen,
    time as last_seen,
    users,
    [machine] as machines,
    [{'process': process, 'seq': 0::ubigint}] as records
from hook_rows
where id = 'startup-hook-changed'
