-- One row for each script: what is known of it before anything is judged.
create table base.script_facts as
with places as (
    select script, coalesce(list(distinct script_path) filter (script_path is not null), []) as paths,
        list(distinct user) as users,
        list(distinct machine) as machines,
        coalesce(list(distinct script_sha256) filter (script_sha256 is not null), []) as hashes,
        list(distinct executable) as interpreters,
        list(distinct started_by) as started_by,
        arg_max(script_name, started) as name,
        arg_max(script_form, started) filter (is_worker is not true) as form,
        arg_max(script_path, started) as path,
        arg_max(directory, started) as directory,
        arg_max(script_sha256, started) as sha256,
        arg_max(machine_id, started) as last_machine_id,
        -- Null where the number had no name any more, whatever it was called before.
        arg_max_null(script_owner, started) filter (script_owner_uid is not null) as owner,
        arg_max(script_owner_uid, started) as owner_uid,
        arg_max(script_modified, started) as modified,
        count(*) filter (is_start) as runs,
        count(*) filter (is_start and status <> 0) as failed_runs,
        count(distinct started::date) as days,
        min(started) as first_seen,
        max(greatest(started, coalesce(last_seen, started))) as last_seen,
        arg_max({'process': process, 'seq': 0::ubigint}, started) as evidence
    from base.runs group by script
),
imported as (
    select a.script, count(distinct l.distribution) as libraries
    from base.library_uses l join base.actors a using (actor) where l.distribution is not null group by a.script
),
contacted as (
    select r.script,
        count(distinct c.host) filter (not n.is_local) as hosts,
        sum(c.bytes_out) filter (not n.is_local)::bigint as bytes_out,
        sum(c.bytes_in) filter (not n.is_local)::bigint as bytes_in,
        list(distinct n.service_name) filter (n.is_ai) as ai_services
    from base.contacts c
    join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
    join base.runs r using (process)
    where c.is_reached
    group by r.script
),
started as (
    select r.script, sum(a.count - coalesce(a.failed, 0))::bigint as children
    from base.acts a join base.runs r using (process)
    where a.kind in ('spawn', 'exec') and not a.is_denied group by r.script
),
judged as (
    select r.script,
        sum(count) filter (verdict = 'deny')::bigint as denied,
        sum(count) filter (verdict = 'warn')::bigint as warned,
        sum(count) filter (verdict = 'justify')::bigint as justified
    from base.verdicts v join base.runs r using (process) group by r.script
)
select
    p.* replace (coalesce(p.owner, m.former_owner) as owner),
    m.owner_exists,
    m.is_leaver,
    m.is_owner_leaver,
    m.repository,
    m.is_in_repository,
    m.schedule,
    coalesce(i.libraries, 0) as libraries,
    coalesce(c.hosts, 0) as hosts,
    coalesce(c.bytes_out, 0) as bytes_out,
    coalesce(c.bytes_in, 0) as bytes_in,
    coalesce(c.ai_services, []) as ai_services,
    coalesce(t.files_read, 0) as files_read,
    coalesce(t.files_written, 0) as files_written,
    coalesce(t.files_deleted, 0) as files_deleted,
    coalesce(s.children, 0) as children,
    coalesce(j.denied, 0) as denied,
    coalesce(j.warned, 0) as warned,
    coalesce(j.justified, 0) as justified
from places p
left join script_marks m using (script)
left join imported i using (script)
left join contacted c using (script)
left join base.file_counts t using (script)
left join started s using (script)
left join judged j using (script)
