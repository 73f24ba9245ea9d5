-- What policy said to them, and the reasons that they gave; and what observed rules would have said, where that differs.
with spoken as (
    select process, verdict, rule, false as is_observed, is_denied, kind, coalesce(host, target) as subject, count, reason,
        first_seen, last_seen, evidence
    from base.verdicts
    where verdict <> 'allow'
    union all
    select process, shadow_verdict, shadow_rule, true, false, kind, coalesce(host, target), count, null, first_seen,
        last_seen, evidence
    from base.verdicts
    where shadow_verdict <> 'allow'
)
select v.verdict, v.rule, v.is_observed, v.kind, v.subject, v.reason, v.is_denied, v.count, r.script, r.script_name,
    v.process, v.first_seen, v.last_seen, v.evidence
from spoken v
join base.runs r using (process)
where r.user = $name or r.uid = $uid
order by v.first_seen, v.process, v.is_observed
