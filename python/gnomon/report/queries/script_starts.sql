-- Programs below the processes of the trees that were not recorded: no Pythons, and Pythons that stayed silent.
select process, command, 'silent' as state, sum(count)::bigint as count, min(time) as started
from silent_rows
where process in (select unnest($processes))
group by process, command
union all
select
    process,
    coalesce(nullif(array_to_string(argv, ' '), ''), target, '?') as command,
    case when bool_or(is_denied) then 'denied' when sum(failed) >= sum(count) then 'failed' else 'other' end as state,
    sum(count)::bigint as count,
    min(first_seen) as started
from base.acts
where kind in ('spawn', 'exec') and process in (select unnest($processes))
    and not regexp_matches(coalesce(argv[1], target, ''), '(^|/)(python|pypy)[0-9.]*$')
group by process, command
order by process, started, command
