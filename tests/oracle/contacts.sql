-- What each process had to do with each other end. Of a connection whose record is in an earlier segment, the
-- bytes are told by a record of their own (`transfer`).
create table base.contacts as
select
    e.process,
    coalesce(e.host, e.address, e.target) as host,
    e.port,
    list(distinct e.address) filter (e.address is not null) as addresses,
    sum(e.count - coalesce(e.failed, 0)) filter (e.kind = 'connect' and not is_denied)::bigint as connects,
    sum(e.count - coalesce(e.failed, 0)) filter (e.kind = 'resolve' and not is_denied)::bigint as resolves,
    sum(e.count) filter (e.kind in ('http', 'request') and not is_denied)::bigint as requests,
    sum(e.count) filter (e.kind = 'send' and not is_denied)::bigint as datagrams,
    sum(e.failed) filter (e.kind in ('connect', 'resolve'))::bigint as failed,
    sum(e.count) filter (is_denied)::bigint as denied,
    sum(e.bytes_out)::bigint as bytes_out,
    sum(e.bytes_in)::bigint as bytes_in,
    list(distinct e.detail) filter (e.kind in ('http', 'request')) as methods,
    list(distinct split_part(split_part(e.target, '#', 1), '?', 1)) filter (e.kind in ('http', 'request')) as urls,
    list(distinct split_part(e.target, ':', 1)) filter (e.kind in ('http', 'request')) as schemes,
    list(distinct e.distribution) filter (e.distribution is not null) as distributions,
    min(e.time) as first_seen,
    max(e.last_time) as last_seen,
    min(e.time) filter (e.kind in ('connect', 'http', 'request', 'send') and not is_denied) as first_connected,
    max(e.last_time) filter (e.kind in ('connect', 'http', 'request', 'send') and not is_denied) as last_connected,
    arg_min({'process': e.process, 'seq': e.seq}, e.time) as evidence,
    arg_min({'file': e.file, 'line': e.line, 'function': e.function}, e.time) filter (e.file is not null) as caused_by
from (select *, coalesce(outcome = 'denied', false) as is_denied from contact_stream) e
where e.kind <> 'transfer' or not starts_with(coalesce(e.target, '/'), '/')
group by e.process, coalesce(e.host, e.address, e.target), e.port
