-- Distributions by script, the vulnerable first.
with used as (
    select
        script, distribution, version,
        list_sort(list_distinct(flatten(list(modules)))) as modules,
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
    group by script, distribution, version
)
select *, count(*) over (partition by script) as of_all
from used
qualify row_number() over (
    partition by script order by state <> 'vulnerable', severity_rank(severity), distribution, version) <= $top
order by script, state <> 'vulnerable', severity_rank(severity), distribution, version
