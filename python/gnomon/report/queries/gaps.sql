-- What was not seen, by kind and reason. Libraries that were not examined are one: each has sizes and ids of its own.
with told as (
    select * replace (regexp_replace(reason, '^not examined: .*', 'not examined') as reason)
    from gaps
)
select
    kind,
    reason,
    coalesce(sum(count), 0)::bigint as count,
    count(distinct process) as runs,
    coalesce(list_sort(list(distinct script) filter (script is not null)), []) as scripts,
    coalesce(list_sort(list(distinct machine) filter (machine is not null)), []) as machines,
    list_sort(list(distinct subject) filter (subject is not null))[:3] as subjects,
    count(distinct subject) as things
from told
group by kind, reason
order by kind, count desc, reason
