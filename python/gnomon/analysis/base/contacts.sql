-- What each process had to do with each other end. Requests are recorded before the connection is made.
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
    {'process': process, 'seq': seq} as evidence,
    case
        when cause_file is not null
            then {'file': cause_file, 'line': cause_line::uinteger, 'function': cause_function}
    end as caused_by
from contact_rows
