-- id: library-unknown
-- title: Library of no known origin
-- severity: low
-- attack: T1195
-- sentence: {script} imports {subject}, which stands among the installed libraries and belongs to none of them.
-- remedy: Whoever keeps the environment says where it comes from, and installs it as a distribution with a version.
-- needs: library_uses, actors
--
-- A script imported a module from a library directory, and no installed distribution has it: it was copied there, so no
-- vulnerability can be looked up. Innocent: a module of the operating system, or one that a colleague put there.
select
    a.script,
    u.modules[1] as subject,
    sum(u.runs) as count,
    min(u.first_seen) as first_seen,
    max(u.last_seen) as last_seen,
    list(distinct a.user) as users,
    list(distinct a.machine) as machines,
    arg_min(u.evidence, u.first_seen, 20) as records
from base.library_uses u
join base.actors a using (actor)
where u.is_imported and u.distribution is null and len(u.modules) > 0
group by a.script, u.modules[1]
