-- Which script talked to which host beyond its machine, over all of its runs, with what is known of the host.
create or replace temp table reach as
select
    r.script,
    c.host,
    c.port,
    n.is_internal,
    n.port_protocol,
    n.service,
    n.service_name,
    n.is_ai,
    n.is_sanctioned,
    n.category,
    n.severity,
    n.attack,
    count(*) as runs,
    -- Times that it was asked: a request and the connection that it is sent on are one.
    sum(if(coalesce(c.requests, 0) > 0, c.requests, coalesce(c.connects, 0) + coalesce(c.datagrams, 0)))::bigint
        as count,
    sum(c.bytes_out)::bigint as bytes_out,
    sum(c.bytes_in)::bigint as bytes_in,
    list_distinct(flatten(list(coalesce(c.methods, [])))) as methods,
    list_distinct(flatten(list(coalesce(c.schemes, [])))) as schemes,
    list_distinct(list_concat(list(c.first_seen::date), list(c.last_seen::date))) as days,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    min(c.first_seen) as first_seen,
    max(c.last_seen) as last_seen,
    arg_min(c.evidence, c.first_seen, 20) as records
from base.contacts c
join base.runs r using (process)
join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
where not n.is_local and c.is_reached
group by all
