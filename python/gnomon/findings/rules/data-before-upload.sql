-- id: data-before-upload
-- title: Sensitive data before an upload
-- severity: by row
-- points: high 60, medium 20, low 5
-- attack: T1567
-- remedy: The script's owner says what was sent and on whose order; if it was this data, the person who is responsible
--   for it decides whether that may go on.
-- needs: flows, host_facts, script_facts
--
-- A run read what the catalogue calls sensitive and talked to a host beyond its machine afterwards. That is
-- co-occurrence and no proof. High where the host is an AI service that is not sanctioned or one that data often leaves
-- by; medium for other hosts outside and for sanctioned AI; low for hosts inside, and where nothing but questions was
-- sent. Credentials are what clients read before they connect, and count one less. Innocent: a report that is made of
-- such data and asks an unrelated service.
with led as (
    select
        w.*,
        n.category as host_category,
        n.severity as host_severity,
        case
            when w.is_internal then 1
            when w.bytes_out < 2000 and list_has_any(['GET', 'HEAD', 'OPTIONS', 'RETR', 'LIST', 'NLST'], w.methods)
                and not list_has_any(['POST', 'PUT', 'PATCH', 'DELETE', 'STOR', 'APPE', 'MAIL', 'DATA'], w.methods)
                then 1
            when w.is_ai and w.is_sanctioned is distinct from true then 3
            when n.category is not null and n.severity in ('high', 'medium') then 3
            else 2
        end
        - if(w.category in ('credentials', 'keys'), 1, 0)
        - if(w.severity = 'low', 1, 0) as weight
    from base.flows w
    join base.host_facts n on n.host = w.host and n.port is not distinct from w.port
)
select
    l.script,
    concat(l.label, ' to ', l.host) as subject,
    concat(
        shown(any_value(f.name)), ' read ', l.label, ' (',
        listed(list_sort(list(distinct regexp_extract(l.path, '([^/\\]*)[/\\]*$', 1)))), ') and then ',
        sent_or_talked(sum(distinct_bytes)), ' ', shown(l.host),
        coalesce(concat(' (', coalesce(any_value(l.service_name), any_value(l.host_category)), ')'), ''),
        ' in ', counted(count(distinct l.process), 'run'), ', last on ', on_day(max(l.last_sent)),
        '. That both happened in one run is no proof that this data was sent.'
    ) as sentence,
    case max(l.weight) when 3 then 'high' when 2 then 'medium' else 'low' end as severity,
    count(distinct l.process) as count,
    min(l.first_read) as first_seen,
    max(l.last_sent) as last_seen,
    list(distinct l.user) as users,
    list(distinct l.machine) as machines,
    list_slice(
        list_concat(arg_min(l.read_evidence, l.first_read, 10), arg_min(l.sent_evidence, l.first_read, 10)), 1, 20
    ) as records
from (
    -- Of several files that one run read before it sent, the bytes count once.
    select *,
        if(row_number() over (partition by process, label, host, port order by path) = 1, bytes_out, 0)
            as distinct_bytes
    from led
) l
join base.script_facts f using (script)
group by l.script, l.label, l.host
