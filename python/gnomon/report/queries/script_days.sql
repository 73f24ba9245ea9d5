-- Runs of each script by day.
select script, strftime(started::date, '%Y-%m-%d') as day, count(*) as runs
from base.runs group by script, started::date order by script, started::date
