-- What was not seen, or not as it should be.
create table base.gap_rows as
select 'lost' as kind, reason, process, null::varchar as subject, count::bigint as count, null::timestamp as time
from loss_rows
union all
select 'fault', concat(severity, ': ', kind, if(detail = '', '', concat(': ', detail))), null, path, 1, null
from fault_rows
union all
select 'unproven hook', 'the audit hook was not seen to work', process, executable, 1, started
from base.runs where hook_proven is distinct from true
union all
select 'native code unwatched', coalesce(native, 'recorded by an older gnomon'), process, executable, 1, started
from base.runs where native is distinct from 'on'
union all
select 'forged', concat('its files belong to uid ', owner_uid), process, user, 1, started
from base.runs where is_forged
union all
select 'blind library', detail, process, target, count, first_seen
from base.acts where kind = 'blind'
union all
select 'evicted', detail, process, target, count, last_seen
from base.acts where kind = 'evict'
union all
select 'silent child', reason, process, command, count, time
from silent_rows
union all
select 'no end', 'it was killed, crashed, left by `os._exit`, or still runs', process, script_name, 1, last_seen
from base.runs where ended is null
