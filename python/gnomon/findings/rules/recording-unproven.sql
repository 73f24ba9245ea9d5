-- id: recording-unproven
-- title: Run that was not recorded properly
-- severity: medium
-- attack: T1562.001
-- remedy: Whoever looks after the machine runs `gnomon doctor` there.
-- needs: runs, script_facts
--
-- In a run of the script the event that gnomon raises to test itself did not arrive, so what it did is not known. Innocent:
-- another tool that hooks Python, such as a debugger or an agent.
select
    r.script,
    'audit hook' as subject,
    concat(
        'Of ', counted(any_value(f.runs), 'run'), ' of ', shown(any_value(f.name)), ', ', count(*),
        ' could not be recorded properly, last on ', on_day(max(r.started)), '.'
    ) as sentence,
    count(*) as count,
    min(r.started) as first_seen,
    max(r.started) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min({'process': r.process, 'seq': 0::ubigint}, r.started, 20) as records
from base.runs r
join base.script_facts f using (script)
where r.hook_proven = false
group by r.script
