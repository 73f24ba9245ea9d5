-- id: after-hours
-- title: Started outside working hours
-- severity: low
-- points: high 10, medium 5, low 3
-- sentence: {script} was started outside working hours ({said:words}) {count:count time} in {runs:count run}, last on
--   {last:words}.
-- remedy: The user's manager asks what it was for; a job that is meant to run then belongs to a scheduler.
-- needs: runs, clock_rows, script_facts
--
-- A person's script was started outside working hours: Monday to Friday, 07:00 to 19:00 by the clock of whoever makes the
-- report, unless `--working-hours` says something else. What a scheduler or a service starts does not count, nor what
-- comes at regular times, nor accounts of services (numbers 1 to 999, and 65534). Innocent: flexible hours, travel.
with local as (
    select r.*, r.started + to_minutes(c.minutes) as local_start, c.* exclude (begins, ends, minutes)
    from base.runs r
    join clock_rows c on r.started >= c.begins and r.started < c.ends
    where r.started_by in ('shell', 'editor', 'gnomon run', 'other')
        and not coalesce(r.uid between 1 and 999 or r.uid = 65534, false)
)
select
    o.script,
    'working hours' as subject,
    any_value(o.said) as said,
    any_value(f.runs) as runs,
    concat(strftime(max(o.local_start), '%A %Y-%m-%d at %H:%M'), ' (', any_value(o.zone), ')') as last,
    count(*) as count,
    min(o.started) as first_seen,
    max(o.started) as last_seen,
    list(distinct o.user) as users,
    list(distinct o.machine) as machines,
    arg_max({'process': o.process, 'seq': 0::ubigint}, o.started, 20) as records
from local o
join base.script_facts f using (script)
where f.schedule is null
    and (
        isodow(o.local_start) not between o.first_day and o.last_day
        or o.local_start::time < o.opens
        or o.local_start::time >= o.closes
    )
group by o.script
