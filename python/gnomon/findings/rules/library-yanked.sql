-- id: library-yanked
-- title: Library that was withdrawn
-- severity: low
-- attack: T1195
-- sentence: {script} imports {distribution} {version}, which its authors withdrew from the package index[[ ({reason:words})]].
-- remedy: Whoever keeps the environment changes to a version that was not withdrawn.
-- needs: index_rows, library_uses, actors
--
-- A script imported a version that its authors yanked (PEP 592), by the index that `gnomon osv import --index` was given:
-- it is broken, or worse. Innocent: what is wrong with it does not matter to this script.
select
    a.script,
    concat(u.distribution, ' ', u.version) as subject,
    u.distribution,
    u.version,
    nullif(any_value(c.yanked), '') as reason,
    sum(u.runs) as count,
    min(u.first_seen) as first_seen,
    max(u.last_seen) as last_seen,
    list(distinct a.user) as users,
    list(distinct a.machine) as machines,
    arg_min(u.evidence, u.first_seen, 20) as records
from base.library_uses u
join base.actors a using (actor)
join index_rows c on c.distribution = u.distribution and c.version is not distinct from u.version
where u.is_imported and c.yanked is not null
group by a.script, u.distribution, u.version
