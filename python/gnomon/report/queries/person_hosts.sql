-- Hosts that they had to do with.
select c.host, c.port, n.service_name as service, n.is_local, r.script, r.script_name, r.machine, r.process,
    coalesce(c.connects, 0) as connects, coalesce(c.requests, 0) as requests, coalesce(c.bytes_out, 0) as bytes_out,
    coalesce(c.bytes_in, 0) as bytes_in, coalesce(c.denied, 0) as denied, c.urls, c.first_seen, c.last_seen, c.evidence
from base.contacts c
join base.runs r using (process)
join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
where r.user = $name or r.uid = $uid
order by c.host, c.first_seen, r.process
