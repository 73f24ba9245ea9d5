-- Files by script, the sensitive first, then those that were used most. Of millions of paths only the heaviest are
-- put together, so that nothing large is sorted.
with heavy as (
    select a.script, unnest(arg_max(u.path, coalesce(u.reads, 0) + coalesce(u.writes, 0) + coalesce(u.deletes, 0), $top))
        as path
    from base.file_uses u
    join base.actors a using (actor)
    group by a.script
),
chosen as (
    select script, path from heavy
    union
    select a.script, unnest(arg_min(u.path, {'rank': severity_rank(p.severity), 'path': u.path}, $top))
    from base.file_uses u
    join base.path_facts p using (path)
    join base.actors a using (actor)
    group by a.script
),
used as (
    select
        a.script,
        u.path,
        sum(u.runs)::bigint as runs,
        coalesce(sum(u.reads), 0)::bigint as reads,
        coalesce(sum(u.writes), 0)::bigint as writes,
        coalesce(sum(u.deletes), 0)::bigint as deletes,
        coalesce(sum(u.denied), 0)::bigint as denied,
        coalesce(sum(u.bytes_read), 0)::bigint as bytes_read,
        coalesce(sum(u.bytes_written), 0)::bigint as bytes_written,
        min(u.first_seen) as first_seen,
        max(u.last_seen) as last_seen,
        arg_min(u.evidence, u.first_seen) as evidence
    from base.file_uses u
    join base.actors a using (actor)
    where exists (select 1 from chosen c where c.path = u.path and c.script = a.script)
    group by a.script, u.path
),
several as (
    select script from base.actors group by script having count(*) > 1
),
counted as (
    select a.script, count(*) as files
    from base.file_uses u join base.actors a using (actor)
    where a.script not in (select script from several)
    group by a.script
    union all
    select a.script, count(distinct u.path) as files
    from base.file_uses u join base.actors a using (actor)
    where a.script in (select script from several)
    group by a.script
)
select u.*, p.id as sensitivity, p.label, p.category, p.severity, p.attack, n.files as of_all
from used u
left join base.path_facts p using (path)
join counted n using (script)
qualify row_number() over (
    partition by u.script
    order by severity_rank(p.severity), u.reads + u.writes + u.deletes desc, u.path) <= $top
order by u.script, severity_rank(p.severity), u.reads + u.writes + u.deletes desc, u.path
