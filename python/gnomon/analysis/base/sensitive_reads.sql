-- Which run read which file that the catalogue calls sensitive, and when. What it merely tells of (`info`, as models) is
-- no such file.
create table base.sensitive_reads as
select
    e.reader as process,
    e.path,
    p.id,
    p.label,
    p.category,
    p.severity,
    p.attack,
    e.reads,
    e.bytes_read,
    e.first_read,
    e.last_read,
    {'process': e.process, 'seq': e.seq} as evidence
from read_rows e
join base.path_facts p using (path)
where p.severity <> 'info'
