-- Sensitive data that a run read before it talked to a host beyond its machine. That both happened in one run, in this
-- order, is all that it says: it is no proof that the one was sent to the other.
create table base.flows as
select
    r.process,
    r.script,
    r.script_name,
    r.user,
    r.machine,
    s.path,
    s.id as sensitivity,
    s.label,
    s.category,
    s.severity,
    s.attack,
    s.first_read,
    c.host,
    c.port,
    n.service,
    n.service_name,
    n.is_ai,
    n.is_internal,
    n.is_sanctioned,
    coalesce(c.bytes_out, 0) as bytes_out,
    coalesce(c.requests, 0) as requests,
    c.last_connected as last_sent,
    c.methods,
    s.evidence as read_evidence,
    c.evidence as sent_evidence
from base.sensitive_reads s
join base.runs r using (process)
join base.contacts c using (process)
join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
where not n.is_local and c.last_connected >= s.first_read
    and c.is_reached
