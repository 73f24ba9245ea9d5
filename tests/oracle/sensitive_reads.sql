-- Which run read which file that the catalogue calls sensitive, and when.
create table base.sensitive_reads as
select
    e.process,
    e.target as path,
    p.id,
    p.label,
    p.category,
    p.severity,
    p.attack,
    sum(e.count - coalesce(e.failed, 0))::bigint as reads,
    sum(e.bytes_in)::bigint as bytes_read,
    min(e.time) as first_read,
    max(e.last_time) as last_read,
    arg_min({'process': e.process, 'seq': e.seq}, e.time) as evidence
from read_stream e
join base.path_facts p on p.path = e.target
where p.severity <> 'info' and e.outcome is distinct from 'denied' and e.count > coalesce(e.failed, 0)
    and (e.kind <> 'open' or e.access like '%read%') and (e.kind <> 'database' or e.detail = 'connect')
group by all
