-- id: startup-hook-new
-- title: New code at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: {what:words}, on {machines}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_rows
--
-- A file came to an environment that runs code, or may, whenever a Python of it starts, after gnomon had seen the environment without it. High where it runs code and no installed distribution lists it. Innocent: a library that was installed with such a file. docs/startup.md has more.
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
where id = 'startup-hook-new'
