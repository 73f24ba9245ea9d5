-- What was imported, by distribution and version.
select
    distribution,
    version,
    list_sort(list(distinct script)) as scripts,
    list_sort(list(distinct machine)) as machines,
    sum(runs)::bigint as runs,
    any_value(state) as state,
    any_value(severity) as severity,
    coalesce(any_value(advisories), []) as advisories,
    any_value(fixed) as fixed,
    case
        when any_value(yanked) <> '' then concat('withdrawn: ', any_value(yanked))
        when any_value(yanked) is not null then 'withdrawn'
        when not any_value(is_known) then 'not there'
    end as package_index,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from libraries
where is_imported and distribution is not null
group by distribution, version
order by any_value(state) <> 'vulnerable', severity_rank(any_value(severity)), distribution, version
