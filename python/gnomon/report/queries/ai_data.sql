-- Labels of data that runs read before they talked to a host, by script and host; models on the machine count here.
with led as (
    select script, host, label from base.flows
    union
    select r.script, c.host, s.label
    from base.contacts c
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    join base.sensitive_reads s using (process)
    join base.runs r using (process)
    where n.is_local and c.last_connected >= s.first_read
)
select script, host, list_sort(list(distinct label)) as labels from led group by script, host
