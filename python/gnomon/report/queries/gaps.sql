-- What was not seen, by kind and reason.
select
    kind,
    reason,
    coalesce(sum(count), 0)::bigint as count,
    count(distinct process) as runs,
    coalesce(list_sort(list(distinct script) filter (script is not null)), []) as scripts,
    coalesce(list_sort(list(distinct machine) filter (machine is not null)), []) as machines,
    list_sort(list(distinct subject) filter (subject is not null))[:3] as subjects
from gaps
group by kind, reason
order by kind, count desc, reason
