-- Hosts beyond the machines, by what was sent there; those that were only tried too.
select
    c.host,
    mode(c.port) as port,
    arg_max(coalesce(c.schemes[1], n.port_protocol), coalesce(c.requests, 0) + coalesce(c.connects, 0)) as protocol,
    coalesce(bool_or(coalesce(c.schemes[1], n.port_protocol) in
        ('http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp', 'ldap', 'tftp')), false) as is_plain,
    bool_and(n.is_internal) as is_internal,
    any_value(n.service_name) as service,
    any_value(n.category) as category,
    any_value(n.severity) as severity,
    list_sort(list(distinct r.script)) as scripts,
    list_sort(list(distinct r.user)) as users,
    count(distinct c.process) as runs,
    coalesce(sum(c.requests), 0)::bigint as requests,
    coalesce(sum(c.bytes_out), 0)::bigint as bytes_out,
    coalesce(sum(c.bytes_in), 0)::bigint as bytes_in,
    coalesce(sum(c.failed), 0)::bigint as failed,
    coalesce(sum(c.denied), 0)::bigint as denied,
    min(c.first_seen) as first_seen,
    max(c.last_seen) as last_seen
from base.contacts c
join base.runs r using (process)
join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
where not n.is_local
group by c.host
having sum(coalesce(c.connects, 0) + coalesce(c.requests, 0) + coalesce(c.datagrams, 0)
    + coalesce(c.denied, 0) + coalesce(c.failed, 0)) > 0
order by any_value(n.service_name) is null, severity_rank(any_value(n.severity)), bool_and(n.is_internal),
    coalesce(sum(c.bytes_out), 0) desc, c.host
