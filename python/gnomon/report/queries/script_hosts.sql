-- Other ends by script, the most telling first.
with met as (
    select
        r.script,
        c.host,
        mode(c.port) as port,
        arg_max(coalesce(c.schemes[1], n.port_protocol), coalesce(c.requests, 0) + coalesce(c.connects, 0)) as protocol,
        bool_and(n.is_local) as is_local,
        bool_and(n.is_internal) as is_internal,
        any_value(n.service_name) as service,
        bool_or(coalesce(n.is_ai, false)) as is_ai,
        any_value(n.category) as category,
        count(distinct c.process) as runs,
        coalesce(sum(c.connects), 0)::bigint as connects,
        coalesce(sum(c.requests), 0)::bigint as requests,
        coalesce(sum(c.bytes_out), 0)::bigint as bytes_out,
        coalesce(sum(c.bytes_in), 0)::bigint as bytes_in,
        coalesce(sum(c.failed), 0)::bigint as failed,
        coalesce(sum(c.denied), 0)::bigint as denied,
        list_sort(list_distinct(coalesce(flatten(list(c.urls)), [])))[:5] as urls,
        arg_min(c.caused_by, c.first_seen) as caused_by,
        min(c.first_seen) as first_seen,
        max(c.last_seen) as last_seen,
        arg_min(c.evidence, c.first_seen) as evidence
    from base.contacts c
    join base.runs r using (process)
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    group by r.script, c.host
    having connects + requests + failed + denied + sum(coalesce(c.datagrams, 0)) > 0
)
select *, count(*) over (partition by script) as of_all
from met
qualify row_number() over (
    partition by script order by is_ai desc, is_local, is_internal, bytes_out desc, requests desc, host) <= $top
order by script, is_ai desc, is_local, is_internal, bytes_out desc, requests desc, host
