-- id: suppression-expired
-- title: Suppression that expired
-- severity: low
-- sentence: The suppression of {subject} by {owner} ended on {until}; what it meant counts again.
-- remedy: Its owner looks at it again, and renews it with a new date or removes it.
-- needs: suppression_rows
--
-- A suppression is past its last day, so what it meant counts again.
select
    null::varchar as script,
    means as subject,
    owner,
    until,
    1 as count
from suppression_rows
where is_expired
