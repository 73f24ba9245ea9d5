-- Everything else that a rule may ask about: programs, code, tampering, native calls, listeners.
create table base.acts as
select
    e.process,
    e.kind,
    e.target,
    e.detail,
    e.argv,
    e.sha256,
    e.distribution,
    coalesce(e.outcome = 'denied', false) as is_denied,
    sum(e.count)::bigint as count,
    sum(e.size)::bigint as size,
    sum(e.failed)::bigint as failed,
    min(e.time) as first_seen,
    max(e.last_time) as last_seen,
    arg_min({'process': e.process, 'seq': e.seq}, e.time) as evidence,
    arg_min({'file': e.file, 'line': e.line, 'function': e.function}, e.time) as caused_by
from act_stream e
group by all
