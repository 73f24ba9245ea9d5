-- id: evasion
-- title: Sign of hiding from the recorder
-- severity: by row
-- points: high 60, medium 20, low 5
-- attack: T1562.001
-- sentence: {script}: {what:words}[[, by {file} line {line:words}]], {count:count time}.
-- remedy: Look at the line that did it.
-- needs: sign_rows, acts, runs, silent_rows
--
-- A script did what programs do that want to get rid of gnomon: it took out the audit hook, replaced `sys.audit`, changed
-- gnomon's files, reached into the interpreter, or started a Python so that gnomon stays out. Innocent: debuggers,
-- profilers and test runners do such things for good reasons; docs/threat-model.md has each sign.
with signs as (
    select a.process, s.id, s.severity, s.sentence, s.remedy, a.count, a.first_seen, a.last_seen, a.evidence,
        a.caused_by.file as file, a.caused_by.line as line
    from base.acts a
    join sign_rows s on s.target is not distinct from a.target and s.detail is not distinct from a.detail
    where a.kind = 'tamper'
    union all
    select c.process, s.id, s.severity, s.sentence, s.remedy, c.count, c.time, c.time,
        {'process': c.process, 'seq': 0::ubigint}, null, null
    from silent_rows c
    cross join sign_rows s
    where c.is_evasive and s.id = 'python-kept-out' and s.target = s.id
)
select
    r.script,
    s.id as subject,
    any_value(s.sentence) as what,
    any_value(s.file) as file,
    any_value(s.line) as line,
    any_value(s.severity) as severity,
    concat(upper(any_value(s.remedy)[1]), any_value(s.remedy)[2:], '.') as remedy,
    sum(s.count) as count,
    min(s.first_seen) as first_seen,
    max(s.last_seen) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min(s.evidence, s.first_seen, 20) as records
from signs s
join base.runs r using (process)
group by r.script, s.id
