-- id: child-silent
-- title: Python that did not report
-- severity: medium
-- attack: T1059.006
-- sentence: {script} started a Python of which nothing is known ({subject}), {count:count time}[[: {reason:words}]].
-- remedy: IT installs gnomon for the whole machine, in strong mode where needed; then look whether it still happens.
-- needs: silent_rows, runs
--
-- A script started a Python that left no record, so nothing is known of what it did. Where the command line is one that
-- keeps gnomon out on purpose it counts as evasion. Innocent: a cleared environment, another installation of Python.
select
    r.script,
    s.command as subject,
    any_value(s.reason) as reason,
    sum(s.count) as count,
    min(s.time) as first_seen,
    max(s.time) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min({'process': s.process, 'seq': 0::ubigint}, s.time, 20) as records
from silent_rows s
join base.runs r using (process)
where not s.is_evasive
group by r.script, s.command
