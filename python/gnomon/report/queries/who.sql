-- Who had to do with the files or hosts that a pattern finds, process by process: what happened to one thing in one way
-- is one row, with the records that show it.
with named as (
    select process, seq, kind, access, count, failed, outcome, bytes_in, bytes_out, time, last_time, file, line, function,
        if(kind in ('connect', 'resolve', 'http', 'request', 'send', 'bind'), coalesce(host, address), target) as subject,
        port, detail, address
    from events
    where kind in (select unnest($kinds))
    union all
    select process, seq, concat(kind, ' to'), access, count, failed, outcome, null, null, time, last_time, file, line,
        function, destination, port, detail, null
    from events
    where kind in (select unnest($kinds)) and kind in ('rename', 'copy', 'link', 'symlink')
)
select
    n.process,
    r.user,
    r.uid,
    r.machine,
    r.script,
    r.script_name,
    r.script_path,
    r.pid,
    r.started,
    n.kind,
    n.access,
    n.subject,
    n.port,
    sum(n.count)::bigint as count,
    coalesce(sum(n.count) filter (n.outcome = 'denied'), 0)::bigint as denied,
    coalesce(sum(n.failed), 0)::bigint as failed,
    coalesce(sum(n.bytes_in), 0)::bigint as bytes_in,
    coalesce(sum(n.bytes_out), 0)::bigint as bytes_out,
    min(n.time) as first_seen,
    max(n.last_time) as last_seen,
    arg_min({'file': n.file, 'line': n.line, 'function': n.function}, n.time) as caused_by,
    count(*) as records_in_all,
    list(n.seq order by n.seq)[:20] as records
from named n
left join base.runs r using (process)
-- What is known by a name is asked for by its address, too.
where n.subject is not null
    and (regexp_full_match(plain_path(n.subject), $pattern, 's') or coalesce(regexp_full_match(n.address, $pattern, 's'), false))
group by all
order by first_seen, n.process, n.subject, n.kind
