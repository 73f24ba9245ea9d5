-- id: library-vulnerable
-- title: Library with a known vulnerability
-- severity: by row
-- attack: T1195.001
-- remedy: Whoever keeps the environment updates the library.
-- needs: libraries
--
-- A script imported a version of a library for which the OSV database knows a vulnerability; as grave as the gravest. What
-- is only installed does not count. Innocent: the vulnerable part is not used.
select
    script,
    concat(distribution, ' ', version) as subject,
    concat(
        shown(arg_max(script_name, last_seen)), ' imports ', shown(distribution), ' ', shown(version), ', which has ',
        if(len(any_value(advisories)) = 1, 'a known vulnerability',
            concat(len(any_value(advisories)), ' known vulnerabilities')),
        ' (', listed(any_value(advisories)), ').'
    ) as sentence,
    if(any_value(severity) in ('high', 'medium', 'low'), any_value(severity), 'medium') as severity,
    if(
        any_value(fixed) is null,
        concat('No version is known to mend it: whoever keeps the environment replaces ', distribution, '.'),
        concat('Whoever keeps the environment updates ', distribution, ' to ', any_value(fixed), ' or later.')
    ) as remedy,
    sum(runs) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    []::struct(process varchar, seq ubigint)[] as records
from libraries
where is_imported and script is not null and state = 'vulnerable'
    and not regexp_matches(array_to_string(advisories, ' '), '(^| )MAL-')
group by script, distribution, version
