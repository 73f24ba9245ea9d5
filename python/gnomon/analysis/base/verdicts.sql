-- What policy said, by run, rule and what it was about.
create table base.verdicts as
select
    e.process,
    e.kind,
    e.target,
    e.host,
    e.verdict,
    e.rule,
    e.shadow_verdict,
    e.shadow_rule,
    coalesce(e.outcome = 'denied', false) as is_denied,
    arg_max(e.reason, e.time) as reason,
    sum(e.count)::bigint as count,
    min(e.time) as first_seen,
    max(e.last_time) as last_seen,
    arg_min({'process': e.process, 'seq': e.seq}, e.time) as evidence,
    arg_min({'file': e.file, 'line': e.line, 'function': e.function}, e.time) as caused_by
from verdict_stream e
where e.verdict is not null or e.shadow_verdict is not null
group by all
