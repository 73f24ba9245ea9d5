-- Sensitive files by folder and what they may hold.
with known as (
    select a.script, a.user, u.*, p.id as sensitivity, p.label, p.category, p.severity, p.attack,
        regexp_extract(u.path, '^(.*)/[^/]*$', 1) as folder,
        lower(regexp_extract(u.path, '[^/]\.([A-Za-z0-9_]{1,12})$', 1)) as type
    from base.file_uses u
    join base.path_facts p using (path)
    join base.actors a using (actor)
)
select
    folder,
    sensitivity,
    any_value(label) as label,
    any_value(category) as category,
    any_value(severity) as severity,
    any_value(attack) as attack,
    count(distinct path) as files,
    coalesce(list_sort(list(distinct type) filter (type <> '')), []) as types,
    coalesce(sum(reads), 0)::bigint as reads,
    coalesce(sum(writes), 0)::bigint as writes,
    coalesce(sum(deletes), 0)::bigint as deletes,
    list_sort(list(distinct script)) as scripts,
    list_sort(list(distinct user)) as users,
    max(last_seen) as last_seen,
    list_sort(list_distinct(arg_max(path, coalesce(reads, 0) + coalesce(writes, 0), 20)))[:5] as examples
from known
group by folder, sensitivity
order by severity_rank(any_value(severity)), coalesce(sum(reads), 0) desc, folder, sensitivity
