-- id: startup-hooks-unseen
-- title: Too many files at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: {what:words}, on {machines}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_rows
--
-- An environment has more files that may run code at start than gnomon looks at. Innocent: hardly; somebody may hide one among many.
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
where id = 'startup-hooks-unseen'
