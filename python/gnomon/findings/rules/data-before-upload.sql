-- id: data-before-upload
-- title: Sensitive data before an upload
-- severity: by row
-- points: high 60, medium 20, low 5
-- attack: T1567
-- sentence: {script} read {label:words} ({files:name}) and then {bytes_out:sent} {host}[[ ({what:words})]] in {count:count run},
--   last on {last_seen}. That both happened in one run is no proof that this data was sent.
-- remedy: The script's owner says what was sent and on whose order; if it was this data, the person who is responsible
--   for it decides whether that may go on.
-- needs: flows, host_facts
--
-- A run read what the catalogue calls sensitive and talked to a host beyond its machine afterwards. That is
-- co-occurrence and no proof. High where the host is an AI service that is not sanctioned or one that data often leaves
-- by; medium for other hosts outside and for sanctioned AI; low for hosts inside, and where nothing but questions was
-- sent. Credentials are what clients read before they connect, and count one less. Innocent: a report that is made of
-- such data and asks an unrelated service.
with led as (
    -- Of several files that one run read before it sent, the bytes count once.
    select
        w.*,
        coalesce(w.service_name, n.category) as what,
        if(row_number() over (partition by w.process, w.label, w.host, w.port order by w.path) = 1, w.bytes_out, 0)
            as bytes_once,
        case
            when w.is_internal then 1
            when w.bytes_out < 2000 and list_has_any(['GET', 'HEAD', 'OPTIONS', 'RETR', 'LIST', 'NLST'], w.methods)
                and not list_has_any(['POST', 'PUT', 'PATCH', 'DELETE', 'STOR', 'APPE', 'MAIL'], w.methods)
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
    script,
    concat(label, ' to ', host) as subject,
    label,
    host,
    any_value(what) as what,
    list_sort(list(distinct path)) as files,
    sum(bytes_once) as bytes_out,
    case max(weight) when 3 then 'high' when 2 then 'medium' else 'low' end as severity,
    count(distinct process) as count,
    min(first_read) as first_seen,
    max(last_sent) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    list_concat(arg_min(read_evidence, first_read, 10), arg_min(sent_evidence, first_read, 10)) as records
from led
group by script, label, host
