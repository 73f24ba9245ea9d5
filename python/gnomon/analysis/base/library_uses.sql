-- What each actor imported of which distribution; and, without an actor, what was only installed.
create table base.library_uses as
with imported as (
    select
        i.actor,
        l.distribution,
        l.version,
        list(distinct i.module order by i.module) as modules,
        max(i.runs) as runs,
        min(i.first_seen) as first_seen,
        max(i.last_seen) as last_seen,
        arg_min(i.evidence, i.first_seen) as evidence
    from base.imports i
    join base.actors a using (actor)
    join library_rows l
        on l.inventory = a.inventory and l.module = i.module and l.file is not distinct from i.file
    group by i.actor, l.distribution, l.version, if(l.distribution is null, i.module, null)
),
places as (
    select distinct a.machine, a.machine_id, a.environment, a.python, n.distribution, n.version
    from (select distinct machine, machine_id, environment, python, inventory from base.actors) a
    join (select distinct inventory, distribution, version from inventory_rows) n
        using (inventory)
)
select *, null::varchar as machine, null::varchar as machine_id, null::varchar as environment,
    null::varchar as python, true as is_imported
from imported
union all by name
select p.*, []::varchar[] as modules, false as is_imported, 0 as runs
from places p
where not exists (
    select 1 from imported i join base.actors a using (actor)
    where a.machine_id = p.machine_id and a.environment is not distinct from p.environment
        and i.distribution = p.distribution and i.version is not distinct from p.version
)
