-- Runs of each script by day; as in the view `scripts`, without forks and workers.
select script, strftime(started::date, '%Y-%m-%d') as day, count(*) as runs
from base.runs where is_start group by script, started::date order by script, started::date
