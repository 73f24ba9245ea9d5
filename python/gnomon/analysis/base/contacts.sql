-- What each process had to do with each other end.
create table base.contacts as
select
    talker as process,
    host,
    port::usmallint as port,
    addresses,
    connects,
    resolves,
    requests,
    datagrams,
    failed,
    denied,
    bytes_out,
    bytes_in,
    methods,
    urls,
    schemes,
    distributions,
    first_seen,
    last_seen,
    first_connected,
    last_connected,
    -- A request is recorded before the connection is made, and that may have failed.
    coalesce(connects, 0) + coalesce(datagrams, 0) + coalesce(bytes_out, 0) > 0
        or (coalesce(requests, 0) > 0 and coalesce(failed, 0) = 0) as is_reached,
    {'process': process, 'seq': seq} as evidence,
    case
        when cause_file is not null
            then {'file': cause_file, 'line': cause_line::uinteger, 'function': cause_function}
    end as caused_by
from contact_rows
