-- id: host-new
-- title: New host for a known script
-- severity: by row
-- points: high 40, medium 10, low 3
-- attack: T1071
-- sentence: {script} {bytes_out:sent} {what:words} for the first time on {first_seen}, after {earlier_runs:count run}
--   without.
-- remedy: The script's owner says what changed; if nothing did, look at the script and at its libraries.
-- needs: reach, runs, script_facts
--
-- A script that ran on at least three days, the first of them three days earlier, talked to a host for the first time, within
-- the last seven days of the records. Low inside. More than ten such hosts of one script are one finding. Innocent: a
-- new version of the script, a service that moved.
with ends as (
    select max(started) as last from base.runs
),
met as (
    select script, host, bool_and(is_internal) as is_internal, min(first_seen) as first_seen,
        max(last_seen) as last_seen, sum(count) as count, sum(bytes_out) as bytes_out,
        list_distinct(flatten(list(users))) as users, list_distinct(flatten(list(machines))) as machines,
        flatten(list(records)) as records
    from reach group by script, host
),
recent as (
    select m.* from met m cross join ends e
    join base.script_facts f using (script)
    where m.first_seen >= e.last - interval 7 days and m.first_seen >= f.first_seen + interval 3 days
),
fresh as (
    select m.script, m.host, count(*) filter (r.is_start) as earlier_runs
    from recent m
    join base.runs r on r.script = m.script and r.started < m.first_seen - interval 1 hour
    group by m.script, m.host
    having count(distinct r.started::date) >= 3
),
gathered as (
    select m.*, g.earlier_runs, count(*) over (partition by m.script) > 10 as is_many
    from recent m join fresh g using (script, host)
)
select
    script,
    if(is_many, '(many hosts)', any_value(host)) as subject,
    if(is_many, concat(count(*), ' hosts'), any_value(host)) as what,
    max(earlier_runs) as earlier_runs,
    sum(bytes_out) as bytes_out,
    if(bool_and(is_internal), 'low', 'medium') as severity,
    sum(count) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list_distinct(flatten(list(users))) as users,
    list_distinct(flatten(list(machines))) as machines,
    list_slice(flatten(list(records)), 1, 20) as records
from gathered
group by script, is_many, if(is_many, null, host)
