-- Sensitive files that were used, by folder and what they may hold. What was only tried is none, nor what the catalogue
-- merely tells of (`info`, as models). Paths are counted where each stands once, as there may be millions.
with facts as (
    select path, id as sensitivity, label, category, severity, attack,
        regexp_extract(path, '^(.*)/[^/]*$', 1) as folder,
        lower(regexp_extract(path, '[^/]\.([A-Za-z0-9_]{1,12})$', 1)) as type
    from base.path_facts
    where is_used and severity <> 'info'
),
counted as (
    select
        folder,
        sensitivity,
        any_value(label) as label,
        any_value(category) as category,
        any_value(severity) as severity,
        any_value(attack) as attack,
        count(*) as files,
        coalesce(list_sort(list(distinct type) filter (type <> '')), []) as types
    from facts
    group by folder, sensitivity
),
used as (
    select
        f.folder,
        f.sensitivity,
        coalesce(sum(u.reads), 0)::bigint as reads,
        coalesce(sum(u.writes), 0)::bigint as writes,
        coalesce(sum(u.deletes), 0)::bigint as deletes,
        list_sort(list(distinct a.script)) as scripts,
        list_sort(list(distinct a.user)) as users,
        max(u.last_seen) as last_seen,
        list_sort(list_distinct(arg_max(u.path, coalesce(u.reads, 0) + coalesce(u.writes, 0), 20)))[:5] as examples
    from base.notable_files u
    join facts f using (path)
    join base.actors a using (actor)
    where coalesce(u.reads, 0) + coalesce(u.writes, 0) + coalesce(u.changes, 0) + coalesce(u.renames, 0)
        + coalesce(u.deletes, 0) > 0
    group by f.folder, f.sensitivity
)
select
    folder, sensitivity, label, category, severity, attack, files, types, reads, writes, deletes, scripts, users,
    last_seen, examples
from counted
join used using (folder, sensitivity)
order by severity_rank(severity), reads desc, folder, sensitivity
