-- The figures at the top, in one row. `ai_services` is the ledger's.
with talked as (
    select c.host, c.bytes_out
    from base.contacts c
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    where not n.is_local and c.is_reached
)
select
    (select count(*) from base.runs where is_start) as runs,
    (select count(distinct script) from base.runs) as scripts,
    (select count(distinct user) from base.runs) as users,
    (select count(distinct coalesce(machine_id, machine)) from base.runs) as machines,
    (select count(distinct distribution) from libraries where is_imported) as libraries,
    (select count(distinct distribution) from libraries where is_imported and state = 'vulnerable')
        as vulnerable_libraries,
    (select count(distinct host) from talked) as hosts,
    (select count(*) from base.path_facts where is_used and severity <> 'info') as sensitive_files,
    (select coalesce(sum(records), 0)::bigint from base.runs) as records,
    (select coalesce(sum(bytes_out), 0)::bigint from talked) as bytes_out,
    (select coalesce(sum(count) filter (verdict = 'deny'), 0)::bigint from base.verdicts) as denied,
    (select coalesce(sum(count) filter (verdict = 'warn'), 0)::bigint from base.verdicts) as warned,
    (select coalesce(sum(count) filter (verdict = 'justify'), 0)::bigint from base.verdicts) as justified,
    (select count(*) filter (severity = 'high' and not is_suppressed) from findings) as high,
    (select count(*) filter (severity = 'medium' and not is_suppressed) from findings) as medium,
    (select count(*) filter (severity = 'low' and not is_suppressed) from findings) as low,
    (select count(*) filter (is_suppressed) from findings) as suppressed,
    (select min(started) from base.runs) as first,
    (select max(greatest(started, coalesce(last_seen, started))) from base.runs) as last
