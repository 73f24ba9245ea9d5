-- What policy said to them, and the reasons that they gave; and what observed rules would have said, where that differs.
select v.verdict, v.rule, v.is_observed, v.kind, v.target as subject, v.reason, v.is_denied, v.count, r.script, r.script_name,
    v.process, v.first_seen, v.last_seen, v.evidence
from base.spoken v
join base.runs r using (process)
where r.user = $name or r.uid = $uid
order by v.first_seen, v.process, v.is_observed
