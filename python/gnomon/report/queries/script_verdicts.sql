-- What policy said, by script, rule and what it was about.
with said as (
    select
        r.script,
        coalesce(v.verdict, v.shadow_verdict) as verdict,
        coalesce(v.rule, v.shadow_rule) as rule,
        v.verdict is null as is_observed,
        v.kind,
        coalesce(v.host, v.target) as target,
        sum(v.count)::bigint as count,
        bool_or(v.is_denied) as is_stopped,
        any_value(v.reason) as reason,
        arg_min(v.caused_by, v.first_seen) as caused_by,
        max(v.last_seen) as last_seen
    from base.verdicts v
    join base.runs r using (process)
    where coalesce(v.verdict, v.shadow_verdict) <> 'allow'
    group by all
)
select *
from said
qualify row_number() over (
    partition by script order by list_position(['deny', 'justify', 'warn'], verdict), count desc, target) <= $top
order by script, list_position(['deny', 'justify', 'warn'], verdict), count desc, target
