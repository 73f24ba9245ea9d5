-- Programs that scripts started, by command line.
with begun as (
    select
        r.script,
        coalesce(nullif(array_to_string(a.argv, ' '), ''), a.target, '?') as command,
        any_value(a.target) as program,
        sum(a.count)::bigint as count,
        sum(a.count) filter (a.is_denied)::bigint as denied,
        coalesce(sum(a.failed), 0)::bigint as failed,
        arg_min(a.caused_by, a.first_seen) as caused_by,
        max(a.last_seen) as last_seen
    from base.acts a
    join base.runs r using (process)
    where a.kind in ('spawn', 'exec')
    group by 1, 2
),
quiet as (
    select r.script, q.command as cut, any_value(q.reason) as silent_because
    from silent_rows q join base.runs r using (process) group by 1, 2
)
select b.*, q.silent_because, count(*) over (partition by b.script) as of_all
from begun b
-- Command lines are cut there (analysis/silence.py).
left join quiet q on q.script = b.script and q.cut = left(b.command, 1000)
qualify row_number() over (partition by b.script order by q.silent_because is null, count desc, command) <= $top
order by b.script, q.silent_because is null, count desc, command
