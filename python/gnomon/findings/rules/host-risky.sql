-- id: host-risky
-- title: Host that data often leaves by
-- severity: by row
-- attack: T1567
-- sentence: {script} {bytes_out:sent} {subject} (category: {category:words}) on {days:count day}.
-- remedy: The script's owner says what it is needed for; if nobody knows, a policy can deny the host.
-- needs: reach
--
-- A script talked to a host of a category that the catalogue names: a paste site, anonymous file sharing, a tunnel, a web
-- hook, a crypto miner. How grave that is the catalogue says, too. Hosts inside do not count.
-- Innocent: a team that uses such a service with a contract; the organisation's catalogue can say so.
select
    script,
    host as subject,
    any_value(category) as category,
    sum(bytes_out) as bytes_out,
    arg_min(severity, case severity when 'high' then 1 when 'medium' then 2 else 3 end) as severity,
    any_value(attack) as attack,
    len(list_distinct(flatten(list(days)))) as days,
    sum(count) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list_distinct(flatten(list(users))) as users,
    list_distinct(flatten(list(machines))) as machines,
    list_slice(flatten(list(records)), 1, 20) as records
from reach
where category is not null and severity in ('high', 'medium', 'low') and not coalesce(is_ai, false) and not is_internal
group by script, host
