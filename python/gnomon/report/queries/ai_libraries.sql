-- Who imported what.
select
    distribution, version,
    list_sort(list_distinct(flatten(list(modules)))) as modules,
    list_sort(list(distinct script)) as scripts,
    list_sort(list(distinct user)) as users,
    list_sort(list(distinct machine)) as machines,
    sum(runs)::bigint as runs,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from libraries
where is_imported and distribution is not null
group by distribution, version
order by distribution, version
