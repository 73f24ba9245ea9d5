-- Files by script, the sensitive first, then those that were used most.
with used as (
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
    from base.notable_files u
    join base.actors a using (actor)
    group by a.script, u.path
)
select u.*, p.id as sensitivity, p.label, p.category, p.severity, p.attack, n.files as of_all
from used u
left join base.path_facts p using (path)
join base.file_counts n using (script)
qualify row_number() over (
    partition by u.script
    order by severity_rank(p.severity), u.reads + u.writes + u.deletes desc, u.path) <= $top
order by u.script, severity_rank(p.severity), u.reads + u.writes + u.deletes desc, u.path
