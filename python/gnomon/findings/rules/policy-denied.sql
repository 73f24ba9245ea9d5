-- id: policy-denied
-- title: Against policy again and again
-- severity: medium
-- sentence: {script} {outcome:words} by the rule {subject} {count:count time} ({targets}).
-- remedy: The rule's owner and the script's owner talk: either the script stops trying, or the rule allows it.
-- needs: verdicts, runs
--
-- A rule said `deny` to a script at least three times, or would have if it were enforced. Innocent: a library that asks for
-- something that it can do without.
with denials as (
    select *, if(verdict = 'deny', rule, shadow_rule) as named
    from base.verdicts
    where verdict = 'deny' or shadow_verdict = 'deny'
)
select
    r.script,
    d.named as subject,
    if(bool_or(d.is_denied), 'was stopped', 'would have been stopped') as outcome,
    list_sort(list(distinct coalesce(d.target, d.host))) as targets,
    sum(d.count) as count,
    min(d.first_seen) as first_seen,
    max(d.last_seen) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min(d.evidence, d.first_seen, 20) as records
from denials d
join base.runs r using (process)
group by r.script, d.named
having sum(d.count) >= 3
