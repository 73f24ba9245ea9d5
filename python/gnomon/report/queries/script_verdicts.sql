-- What policy said, by script, rule and what it was about. Where it allowed something, what observed rules would have said.
with said as (
    select
        r.script,
        if(coalesce(v.verdict, 'allow') = 'allow', v.shadow_verdict, v.verdict) as verdict,
        if(coalesce(v.verdict, 'allow') = 'allow', v.shadow_rule, v.rule) as rule,
        coalesce(v.verdict, 'allow') = 'allow' as is_observed,
        v.kind,
        coalesce(v.host, v.target) as target,
        sum(v.count)::bigint as count,
        bool_or(v.is_denied) as is_stopped,
        any_value(v.reason) as reason,
        arg_min(v.caused_by, v.first_seen) as caused_by,
        max(v.last_seen) as last_seen
    from base.verdicts v
    join base.runs r using (process)
    where if(coalesce(v.verdict, 'allow') = 'allow', v.shadow_verdict, v.verdict) <> 'allow'
    group by all
)
select *
from said
qualify row_number() over (
    partition by script order by list_position(['deny', 'justify', 'warn'], verdict), count desc, target) <= $top
order by script, list_position(['deny', 'justify', 'warn'], verdict), count desc, target
