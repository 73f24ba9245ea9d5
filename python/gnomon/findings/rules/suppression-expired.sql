-- id: suppression-expired
-- title: Suppression that expired
-- severity: low
-- remedy: Its owner looks at it again, and renews it with a new date or removes it.
-- needs: suppression_rows
--
-- A suppression is past its last day, so what it meant counts again.
select
    null::varchar as script,
    means as subject,
    concat(
        'The suppression of “', means, '” by ', owner, ' ended on ', until::varchar, '; what it meant counts again.'
    ) as sentence,
    1 as count,
    null::timestamp as first_seen,
    null::timestamp as last_seen,
    []::struct(process varchar, seq ubigint)[] as records
from suppression_rows
where is_expired
