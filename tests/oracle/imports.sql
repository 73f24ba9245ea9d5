-- Modules that were loaded, by what was installed where the process looked.
create table base.imports as
select
    r.actor,
    e.target as module,
    e.destination as file,
    count(distinct e.process) as runs,
    sum(e.count)::bigint as modules,
    min(e.time) as first_seen,
    max(e.last_time) as last_seen,
    arg_min({'process': e.process, 'seq': e.seq}, e.time) as evidence
from import_stream e
join base.runs r using (process)
where e.outcome is distinct from 'denied'
group by all
