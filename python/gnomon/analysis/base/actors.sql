-- Who the numbers of actors stand for. A script that was renamed has one name here, its last: a row for each name would
-- count what the actor did once for each.
create table base.actors as
select actor, script, arg_max(script_name, (started, process)) as script_name, user, uid, machine, machine_id, environment,
    python, inventory
from base.runs
group by all
