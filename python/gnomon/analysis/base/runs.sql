-- One row for each recorded run of an interpreter, with the script that it belongs to. An `actor` is a script, a user and
-- an environment on a machine: a number, so that millions of rows need not repeat them.
create table base.runs as
select
    p.id as process,
    p.parent,
    p.run,
    p.pid,
    p.parent_pid,
    p.parent_name,
    case
        when above.script is not null then 'script'
        when regexp_full_match(p.parent_name, '(?i)crond?|anacron|atd|fcron') then 'cron'
        when regexp_full_match(p.parent_name, 'systemd|\(?sd-.*|systemd-run') then 'systemd'
        when regexp_full_match(p.parent_name, '(?i)taskeng\.exe|taskhostw?\.exe|svchost\.exe') then 'task scheduler'
        when regexp_full_match(p.parent_name, '(?i)jupyter.*|ipykernel.*|code|code-server|pycharm.*|spyder.*')
            then 'editor'
        when regexp_full_match(p.parent_name, '(?i)-?(ba|z|fi|da|k|tc|c)?sh(\.exe)?|pwsh.*|powershell.*|cmd\.exe')
            then 'shell'
        when p.run is not null then 'gnomon run'
        else 'other'
    end as started_by,
    p.started,
    p.ended,
    p.last_seen,
    p.status,
    s.script is distinct from above.script as is_start,
    p.user,
    p.uid,
    p.owner_uid,
    p.is_forged,
    p.host as machine,
    p.machine as machine_id,
    p.boot,
    p.executable,
    p.python,
    p.implementation,
    p.environment,
    p.argv,
    p.directory,
    s.script,
    p.script_form,
    s.name as script_name,
    s.is_worker,
    p.script_file as script_path,
    -- Of multiprocessing's own command it is the hash of that, and not of the script.
    case when not s.is_worker then p.script_sha256 end as script_sha256,
    p.script_size,
    p.script_owner,
    p.script_owner_uid,
    p.script_modified,
    p.hook_proven,
    p.native,
    p.managed,
    p.startup,
    p.inventory,
    p.segments,
    p.records,
    p.gnomon,
    dense_rank() over (
        order by s.script, p.user, p.uid, p.host, p.machine, p.environment, p.python, p.inventory
    )::integer as actor
from base.process_rows p
join script_rows s on s.process = p.id
left join script_rows above on above.process = p.parent
