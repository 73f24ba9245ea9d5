-- One row for each distribution that a script imported, for each user and environment; and one without a script for each
-- that is only installed there.
-- script VARCHAR: the script; null where nobody imported it
-- script_name VARCHAR: its name
-- user VARCHAR: who ran it
-- machine VARCHAR: where
-- machine_id VARCHAR: where
-- environment VARCHAR: the virtual environment
-- python VARCHAR: the interpreter's version
-- distribution VARCHAR: the distribution's normalised name (PEP 503); null for a module of none
-- version VARCHAR: its version; null where it is not known
-- modules VARCHAR[]: the top-level packages of it that were loaded
-- is_imported BOOLEAN: false for what is only installed
-- runs BIGINT: how many runs imported it, or at least; more where they imported different modules of it
-- first_seen TIMESTAMP: when it was first imported
-- last_seen TIMESTAMP: when it was last imported
-- state VARCHAR: `vulnerable`, `no known vulnerability` or `not checked`, by the OSV database that was imported
-- severity VARCHAR: that of its gravest advisory
-- advisories VARCHAR[]: their ids, CVEs first
-- fixed VARCHAR: the version that has none of them, where there is one
-- is_known BOOLEAN: whether the package index has it; null where `gnomon osv import` was given no index
-- yanked VARCHAR: why its version was yanked from there; null where it was not, as far as is known
select
    a.script,
    a.script_name,
    a.user,
    coalesce(a.machine, u.machine) as machine,
    coalesce(a.machine_id, u.machine_id) as machine_id,
    coalesce(a.environment, u.environment) as environment,
    coalesce(a.python, u.python) as python,
    u.distribution,
    u.version,
    u.modules,
    u.is_imported,
    u.runs,
    u.first_seen,
    u.last_seen,
    coalesce(c.state, 'not checked') as state,
    v.severity,
    v.advisories,
    v.fixed,
    c.is_known,
    c.yanked
from base.library_uses u
left join base.actors a using (actor)
left join checked_rows c on c.distribution = u.distribution and c.version is not distinct from u.version
left join advisory_rows v on v.distribution = u.distribution and v.version is not distinct from u.version
