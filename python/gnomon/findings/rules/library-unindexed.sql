-- id: library-unindexed
-- title: Library that the package index does not have
-- severity: low
-- attack: T1195.001
-- sentence: {script} imports {subject}, which the package index does not have.
-- remedy: Whoever keeps the environment says where it comes from; a suppression names what is the organisation's own.
-- needs: index_rows, library_uses, actors
--
-- A script imported a distribution that is not in the list of all names that `gnomon osv import --index` was given: no
-- advisory can tell of it, and whoever takes its name there may be installed in its place. Innocent: a library of the
-- organisation's own.
select
    a.script,
    u.distribution as subject,
    sum(u.runs) as count,
    min(u.first_seen) as first_seen,
    max(u.last_seen) as last_seen,
    list(distinct a.user) as users,
    list(distinct a.machine) as machines,
    arg_min(u.evidence, u.first_seen, 20) as records
from base.library_uses u
join base.actors a using (actor)
join index_rows c on c.distribution = u.distribution and c.version is not distinct from u.version
where u.is_imported and not c.is_known
group by a.script, u.distribution
