-- What policy said to them, and the reasons that they gave.
-- Where it allowed something, what observed rules would have said.
with judged as (
    select *, coalesce(verdict, 'allow') = 'allow' as is_observed
    from base.verdicts
)
select if(v.is_observed, v.shadow_verdict, v.verdict) as verdict, if(v.is_observed, v.shadow_rule, v.rule) as rule, v.is_observed, v.kind,
    coalesce(v.host, v.target) as subject, v.reason, v.is_denied, v.count, r.script, r.script_name, v.process,
    v.first_seen, v.last_seen, v.evidence
from judged v
join base.runs r using (process)
where (r.user = $name or r.uid = $uid) and if(v.is_observed, v.shadow_verdict, v.verdict) <> 'allow'
order by v.first_seen, v.process
