-- What each script did with each file, for each user on each machine. A rename or copy also makes its
-- destination.
create table base.file_uses as
with uses as (
    select
        process, seq, time, last_time, kind, failed, distribution, bytes_in, bytes_out,
        coalesce(access, '') as access,
        count,
        coalesce(outcome = 'denied', false) as is_denied,
        case when kind in ('link', 'symlink') then coalesce(destination, target) else target end as path
    from file_stream
    where kind not in ('transfer', 'database')
        or (starts_with(coalesce(target, ''), '/') and (kind <> 'database' or detail = 'connect'))
    union all by name
    select
        process, seq, time, last_time, 'made' as kind, failed, distribution, null as bytes_in, null as bytes_out,
        '' as access,
        count,
        coalesce(outcome = 'denied', false) as is_denied,
        destination as path
    from made_stream
    where destination is not null
)
select
    r.actor,
    u.path,
    count(distinct u.process) as runs,
    sum(done) filter ((kind = 'open' and access like '%read%') or kind in ('copy', 'map', 'database'))::bigint as reads,
    sum(done) filter (
        kind = 'made' or (kind = 'open' and regexp_matches(access, 'write|append|create'))
            or (kind = 'database' and bytes_out > 0)
    )::bigint as writes,
    sum(done) filter (kind = 'delete')::bigint as deletes,
    sum(done) filter (kind = 'rename')::bigint as renames,
    sum(done) filter (
        kind in ('mkdir', 'link', 'symlink', 'chmod', 'truncate', 'chown', 'utime', 'xattr')
    )::bigint as changes,
    sum(failed)::bigint as failed,
    sum(count) filter (is_denied)::bigint as denied,
    sum(bytes_in)::bigint as bytes_read,
    sum(bytes_out)::bigint as bytes_written,
    min(time) as first_seen,
    max(last_time) as last_seen,
    arg_min({'process': process, 'seq': seq}, time) as evidence
from (select *, case when is_denied then 0 else count - coalesce(failed, 0) end as done from uses) u
join base.runs r using (process)
-- For a traceback Python reads the script itself.
where u.path is distinct from r.script_path or u.kind <> 'open' or u.access <> 'read'
group by all
