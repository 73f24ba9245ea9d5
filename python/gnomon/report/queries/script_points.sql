-- The account of each script's risk.
select script, finding, points, because
from risk_points
where points > 0
order by script, points desc, because, finding
