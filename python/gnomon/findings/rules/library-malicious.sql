-- id: library-malicious
-- title: Malicious library
-- severity: high
-- points: high 100, medium 100, low 100
-- attack: T1195.002
-- sentence: {script} imports {distribution} {version}, which is known to be malicious ({advisories}).
-- remedy: Take the machine off the network, change every password and key that its users have on it, and remove the
--   library.
-- needs: advisory_rows, library_uses, actors
--
-- A script imported a version of a library that the OSV database lists as malicious (its ids begin with MAL). Innocent:
-- hardly ever; a private library of the same name.
select
    a.script,
    concat(u.distribution, ' ', u.version) as subject,
    u.distribution,
    u.version,
    len(any_value(v.advisories)) as known,
    any_value(v.advisories) as advisories,
    sum(u.runs) as count,
    min(u.first_seen) as first_seen,
    max(u.last_seen) as last_seen,
    list(distinct a.user) as users,
    list(distinct a.machine) as machines,
    arg_min(u.evidence, u.first_seen, 20) as records
from base.library_uses u
join base.actors a using (actor)
join advisory_rows v on v.distribution = u.distribution and v.version is not distinct from u.version
where u.is_imported and regexp_matches(array_to_string(v.advisories, ' '), '(^| )MAL-')
group by a.script, u.distribution, u.version
