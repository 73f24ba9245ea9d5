-- What a script did for the first time in the last seven days of the period, though it ran before.
with bounds as (
    select max(greatest(started, coalesce(last_seen, started))) - interval 7 day as since, min(started) as first
    from base.runs
),
known as (
    select script from base.runs group by script having min(started) < (select since from bounds)
),
firsts as (
    select r.script, 'host' as kind, c.host as name, min(c.first_seen) as first_seen
    from base.contacts c
    join base.runs r using (process)
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    where not n.is_local and c.is_reached
    group by 1, 2, 3
    union all
    select script, 'library', trim(concat(distribution, ' ', version)), min(first_seen)
    from libraries where is_imported and distribution is not null group by 1, 2, 3
    union all
    select script, 'version', script_sha256, min(started) from base.runs where script_sha256 is not null group by 1, 2, 3
    union all
    select script, 'user', user, min(started) from base.runs group by 1, 2, 3
    union all
    select script, 'machine', machine, min(started) from base.runs group by 1, 2, 3
    union all
    select script, 'script', script, min(started) from base.runs group by 1, 2, 3
)
select f.script, f.kind, f.name, f.first_seen
from firsts f, bounds b
where f.first_seen >= b.since and b.first < b.since
    and (f.script in (select script from known) or f.kind = 'script')
order by f.script, f.kind, f.first_seen, f.name
