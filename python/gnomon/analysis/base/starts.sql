-- Programs that processes started, or tried to. Times are in nanoseconds since 1970, to be told from those of children.
create table base.starts as
select
    process,
    seq,
    kind,
    target as program,
    case when len(argv) > 0 then argv when target <> '' then [target] else [] end as argv,
    count,
    time,
    last_time,
    coalesce(outcome = 'failed', false) as has_failed
from act_stream
where kind in ('spawn', 'exec') and outcome is distinct from 'denied'
