-- What policy said, by script, rule and what it was about; and what observed rules would have said, where that differs.
with said as (
    select
        r.script,
        v.verdict,
        v.rule,
        v.is_observed,
        v.kind,
        v.target,
        sum(v.count)::bigint as count,
        bool_or(v.is_denied) as is_stopped,
        any_value(v.reason) as reason,
        arg_min(v.caused_by, v.first_seen) as caused_by,
        max(v.last_seen) as last_seen
    from base.spoken v
    join base.runs r using (process)
    group by all
)
select *
from said
qualify row_number() over (
    partition by script order by list_position(['deny', 'justify', 'warn'], verdict), is_observed, count desc, target,
        rule) <= $top
order by script, list_position(['deny', 'justify', 'warn'], verdict), is_observed, count desc, target, rule
