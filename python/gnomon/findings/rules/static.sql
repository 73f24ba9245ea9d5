-- id: static
-- title: Found by bandit
-- severity: by row
-- points: high 15, medium 6, low 1
-- sentence: {script} has what bandit calls {test} ({test_id}) in {lines:count line} of {subject}: {lines_listed:words}.
-- remedy: The script's owner looks at the line; https://bandit.readthedocs.io explains the test.
-- needs: static_rows, runs
--
-- Only with `--bandit`: what an installed bandit says of the text of a script that is on this machine as it was when it ran.
-- Each test is a rule of its own, as `static-B602`. It is about what the text could do, not about what was done. Innocent:
-- often; bandit's own page of a test says when.
select
    concat('static-', s.test_id) as rule,
    concat('Found by bandit: ', replace(s.test_name, '_', ' ')) as title,
    s.script,
    s.path as subject,
    s.test_id,
    replace(s.test_name, '_', ' ') as test,
    count(*) as lines,
    list(concat('line ', s.line) order by s.line) as lines_listed,
    arg_min(s.severity, case s.severity when 'high' then 1 when 'medium' then 2 else 3 end) as severity,
    count(*) as count,
    min(r.started) as first_seen,
    max(r.started) as last_seen,
    [{'process': any_value(s.process), 'seq': 0::ubigint}] as records
from static_rows s
join base.runs r using (process)
group by s.script, s.path, s.test_id, s.test_name
