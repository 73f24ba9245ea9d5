-- One row for each day. What a run did counts for the day on which it first did it. Connections and bytes are those
-- beyond the machine, as in the summary, and none that only failed; AI requests are those to models on the machine, too.
with ran as (
    select started::date as day, count(*) filter (is_start) as runs, count(distinct script) as scripts, count(distinct user) as users
    from base.runs
    group by day
),
talked as (
    select
        coalesce(c.first_connected, c.first_seen)::date as day,
        sum(if(coalesce(c.connects, 0) > 0, c.connects, coalesce(c.requests, 0))) filter (not n.is_local)::bigint
            as connections,
        sum(if(coalesce(c.requests, 0) > 0, c.requests, c.connects)) filter (n.is_ai)::bigint as ai_requests,
        sum(c.bytes_out) filter (not n.is_local)::bigint as bytes_out
    from base.contacts c
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    where c.is_reached and (not n.is_local or n.is_ai)
    group by day
),
stopped as (
    select first_seen::date as day, sum(count)::bigint as denied
    from base.verdicts
    where verdict = 'deny'
    group by 1
),
days as (
    select unnest(generate_series(min(day), max(day), interval 1 day))::date as day
    from (select day from ran union all select day from talked union all select day from stopped)
    having date_diff('day', min(day), max(day)) <= 400
    union
    select day from ran
)
select
    strftime(day, '%Y-%m-%d') as day,
    coalesce(runs, 0) as runs,
    coalesce(scripts, 0) as scripts,
    coalesce(users, 0) as users,
    coalesce(connections, 0) as connections,
    coalesce(ai_requests, 0) as ai_requests,
    coalesce(bytes_out, 0) as bytes_out,
    coalesce(denied, 0) as denied
from days
left join ran using (day)
left join talked using (day)
left join stopped using (day)
order by day
