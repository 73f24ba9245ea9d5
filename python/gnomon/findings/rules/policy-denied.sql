-- id: policy-denied
-- title: Stopped by policy again and again
-- severity: medium
-- remedy: The rule's owner and the script's owner talk: either the script stops trying, or the rule allows it.
-- needs: verdicts, runs, script_facts
--
-- A rule said `deny` to a script at least three times, or would have if it were enforced. Innocent: a library that asks for
-- something that it can do without.
with denials as (
    select v.process, v.count, v.is_denied, v.first_seen, v.last_seen, v.evidence,
        coalesce(v.target, v.host) as target,
        if(v.verdict = 'deny', v.rule, v.shadow_rule) as named
    from base.verdicts v
    where v.verdict = 'deny' or v.shadow_verdict = 'deny'
)
select
    r.script,
    coalesce(d.named, '?') as subject,
    concat(
        shown(any_value(f.name)), if(bool_or(d.is_denied), ' was stopped by the rule ', ' would have been stopped by the rule '),
        shown(d.named), ' ', counted(sum(d.count), 'time'), ' (', listed(list_sort(list(distinct d.target))), ').'
    ) as sentence,
    sum(d.count) as count,
    min(d.first_seen) as first_seen,
    max(d.last_seen) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min(d.evidence, d.first_seen, 20) as records
from denials d
join base.runs r using (process)
join base.script_facts f on f.script = r.script
group by r.script, d.named
having sum(d.count) >= 3
