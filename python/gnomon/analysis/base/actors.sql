-- Who the numbers of actors stand for.
create table base.actors as
select distinct actor, script, script_name, user, uid, machine, machine_id, environment, python, inventory
from base.runs
