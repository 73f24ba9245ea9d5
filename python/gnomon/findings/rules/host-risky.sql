-- id: host-risky
-- title: Host that data often leaves by
-- severity: by row
-- attack: T1567
-- remedy: The script's owner says what it is needed for; if nobody knows, a policy can deny the host.
-- needs: reach, script_facts
--
-- A script talked to a host of a category that the catalogue names: a paste site, anonymous file sharing, a tunnel, a web
-- hook, a crypto miner. How grave that is the catalogue says, too. Innocent: a team that uses such a service with a
-- contract; the organisation's catalogue can say so.
select
    r.script,
    r.host as subject,
    concat(
        shown(any_value(f.name)), ' ', sent_or_talked(sum(r.bytes_out)), ' ', shown(r.host),
        ', which the catalogue lists as “', any_value(r.category), '”, on ',
        counted(len(list_distinct(flatten(list(r.days)))), 'day'), '.'
    ) as sentence,
    arg_min(r.severity, case r.severity when 'high' then 1 when 'medium' then 2 else 3 end) as severity,
    any_value(r.attack) as attack,
    sum(r.count) as count,
    min(r.first_seen) as first_seen,
    max(r.last_seen) as last_seen,
    list_distinct(flatten(list(r.users))) as users,
    list_distinct(flatten(list(r.machines))) as machines,
    list_slice(flatten(list(r.records)), 1, 20) as records
from reach r
join base.script_facts f using (script)
where r.category is not null and r.severity in ('high', 'medium', 'low') and not coalesce(r.is_ai, false)
group by r.script, r.host
