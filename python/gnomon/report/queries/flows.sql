-- Sensitive data read before a connection of the same run. A run's bytes to a host count once, however many files.
with found as (
    select script, any_value(script_name) as script_name, process, any_value(user) as user, label,
        any_value(category) as category, min(severity_rank(severity)) as rank, host, port,
        any_value(service_name) as service, bool_or(coalesce(is_ai, false)) as is_ai,
        bool_and(is_internal) as is_internal, list(distinct path) as paths, any_value(bytes_out) as bytes_out,
        max(last_sent) as last_sent
    from base.flows
    group by script, process, label, host, port
)
select
    script,
    arg_max(script_name, last_sent) as script_name,
    label,
    any_value(category) as category,
    case min(rank) when 0 then 'high' when 1 then 'medium' else 'low' end as severity,
    len(list_distinct(flatten(list(paths)))) as files,
    list_sort(list_distinct(flatten(list(paths))))[:5] as examples,
    host,
    any_value(service) as service,
    bool_or(is_ai) as is_ai,
    bool_and(is_internal) as is_internal,
    count(distinct process) as runs,
    sum(bytes_out)::bigint as bytes_out,
    list_sort(list(distinct user)) as users,
    max(last_sent) as last_seen
from found
group by script, label, host
order by bool_or(is_ai) desc, min(rank), bool_and(is_internal), sum(bytes_out) desc, script, label, host
