-- id: library-malicious
-- title: Malicious library
-- severity: high
-- points: high 100, medium 100, low 100
-- attack: T1195.002
-- remedy: Take the machine off the network, change every password and key that its users have on it, and remove the
--   library.
-- needs: libraries
--
-- A script imported a version of a library that the OSV database lists as malicious (its ids begin with MAL). Innocent:
-- hardly ever; a private library of the same name.
select
    script,
    concat(distribution, ' ', version) as subject,
    concat(
        shown(arg_max(script_name, last_seen)), ' imports ', shown(distribution), ' ', shown(version),
        ', which is known to be malicious (', listed(any_value(advisories)), ').'
    ) as sentence,
    sum(runs) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    []::struct(process varchar, seq ubigint)[] as records
from libraries
where is_imported and script is not null and state = 'vulnerable'
    and regexp_matches(array_to_string(advisories, ' '), '(^| )MAL-')
group by script, distribution, version
