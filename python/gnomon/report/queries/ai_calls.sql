-- AI services that were called, by what the catalogue knows of the host, else by the path of a request (analysis/hosts.py).
with calls as (
    select
        r.script, r.user, r.machine, c.*,
        n.service as id,
        n.service_name as name,
        n.is_local,
        n.is_internal,
        n.is_sanctioned
    from base.contacts c
    join base.runs r using (process)
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    -- A request is recorded before its connection is made: where that only failed nothing was called.
    where n.is_ai and (c.is_reached or coalesce(c.denied, 0) > 0)
)
select
    id,
    any_value(name) as name,
    bool_and(is_local) as is_local,
    bool_and(is_internal) as is_internal,
    any_value(is_sanctioned) as is_sanctioned,
    list_sort(list(distinct host)) as hosts,
    list_sort(list_distinct(list_transform(coalesce(flatten(list(urls)), []),
        lambda url: regexp_extract(url, '^[a-z0-9+.-]+://[^/]*(/.*)?$', 1))))[:20] as endpoints,
    list_sort(list(distinct script)) as scripts,
    list_sort(list(distinct user)) as users,
    list_sort(list(distinct machine)) as machines,
    count(distinct process) as runs,
    coalesce(sum(if(coalesce(requests, 0) > 0, requests, connects)) filter (is_reached), 0)::bigint as calls,
    coalesce(sum(bytes_out), 0)::bigint as bytes_out,
    coalesce(sum(bytes_in), 0)::bigint as bytes_in,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from calls
group by id
order by any_value(is_sanctioned) is true, coalesce(sum(bytes_out), 0) desc, id
