-- The scripts, the riskiest first.
select s.*, (select coalesce(sum(count), 0) from silent_rows q join base.runs r using (process) where r.script = s.script)
    as silent
from scripts s
order by s.risk desc, severity_rank(s.severity), s.name, s.script
