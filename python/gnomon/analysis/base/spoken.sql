-- What policy said where it was not `allow`; and what observed rules would have said, where that is not.
create table base.spoken as
select process, verdict, rule, false as is_observed, is_denied, kind, coalesce(host, target) as target, count, reason,
    caused_by, first_seen, last_seen, evidence
from base.verdicts
where verdict <> 'allow'
union all
select process, shadow_verdict, shadow_rule, true, false, kind, coalesce(host, target), count, null, caused_by, first_seen,
    last_seen, evidence
from base.verdicts
where shadow_verdict <> 'allow'
