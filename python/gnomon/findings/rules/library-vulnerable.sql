-- id: library-vulnerable
-- title: Library with a known vulnerability
-- severity: by row
-- attack: T1195.001
-- sentence: {script} imports {distribution} {version}, which has {known:count known vulnerability/known vulnerabilities} ({advisories}).
-- remedy: Whoever keeps the environment updates the library.
-- needs: advisory_rows, library_uses, actors
--
-- A script imported a version of a library for which the OSV database knows a vulnerability; as grave as the gravest. What
-- is only installed does not count. Innocent: the vulnerable part is not used.
select
    a.script,
    concat(u.distribution, ' ', u.version) as subject,
    u.distribution,
    u.version,
    len(any_value(v.advisories)) as known,
    any_value(v.advisories) as advisories,
    if(any_value(v.severity) in ('high', 'medium', 'low'), any_value(v.severity), 'medium') as severity,
    if(
        any_value(v.fixed) is null,
        concat('No version is known to mend it: whoever keeps the environment replaces ', u.distribution, '.'),
        concat('Whoever keeps the environment updates ', u.distribution, ' to ', any_value(v.fixed), ' or later.')
    ) as remedy,
    sum(u.runs) as count,
    min(u.first_seen) as first_seen,
    max(u.last_seen) as last_seen,
    list(distinct a.user) as users,
    list(distinct a.machine) as machines,
    arg_min(u.evidence, u.first_seen, 20) as records
from base.library_uses u
join base.actors a using (actor)
join advisory_rows v on v.distribution = u.distribution and v.version is not distinct from u.version
where u.is_imported and not regexp_matches(array_to_string(v.advisories, ' '), '(^| )MAL-')
group by a.script, u.distribution, u.version
