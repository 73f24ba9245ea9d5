-- What is to be said of startup hooks, as rules say it: each of them has one `id`.
create or replace temp table hook_findings as
select
    id,
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
