-- id: recording-unproven
-- title: Run that was not recorded properly
-- severity: medium
-- attack: T1562.001
-- sentence: {count:count run} of {script} could not be recorded properly, last on {last_seen}.
-- remedy: Whoever looks after the machine runs `gnomon doctor` there.
-- needs: runs
--
-- In a run of the script the event that gnomon raises to test itself did not arrive, so what it did is not known. Innocent:
-- another tool that hooks Python, such as a debugger or an agent.
select
    script,
    'audit hook' as subject,
    count(*) as count,
    min(started) as first_seen,
    max(started) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    arg_min({'process': process, 'seq': 0::ubigint}, started, 20) as records
from base.runs
where hook_proven = false
group by script
