-- What policy said to them, and the reasons that they gave.
select coalesce(v.verdict, v.shadow_verdict) as verdict, coalesce(v.rule, v.shadow_rule) as rule, v.kind,
    coalesce(v.host, v.target) as subject, v.reason, v.is_denied, v.count, r.script, r.script_name, v.process,
    v.first_seen, v.last_seen, v.evidence
from base.verdicts v
join base.runs r using (process)
where (r.user = $name or r.uid = $uid) and coalesce(v.verdict, v.shadow_verdict) <> 'allow'
order by v.first_seen, v.process
