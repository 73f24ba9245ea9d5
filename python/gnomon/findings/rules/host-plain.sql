-- id: host-plain
-- title: Connection without encryption
-- severity: by row
-- attack: T1040
-- sentence: {script} {bytes_out:sent} {host} by {protocol}, which anybody on the way can read, on {days:count day}.
-- remedy: The script's owner uses the encrypted form of the protocol (https, sftp, ssh, smtp with TLS), and the owner of
--   the host offers it.
-- needs: reach
--
-- A script talked to a host beyond its machine by a protocol that has no encryption of its own: http, ftp, telnet and the
-- like, by its requests, else by its port. High where it also logged in, low inside, and low for mail and directories,
-- which may switch to encryption in the middle: gnomon does not see that. Innocent: public data that is only read.
with spoken as (
    select
        *,
        coalesce(
            list_intersect(schemes, ['http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp'])[1],
            if(len(schemes) = 0 and port is distinct from 8080, port_protocol, null)
        ) as protocol,
        -- FTP sends its files over connections of their own, to ports that it agrees on.
        coalesce(sum(bytes_out) filter (len(schemes) = 0 and port_protocol is null) over (partition by script, host), 0)
            as data_bytes_out
    from reach
    where host not in ('169.254.169.254', '169.254.170.2')
)
select
    script,
    concat(protocol, '://', host) as subject,
    host,
    protocol,
    sum(bytes_out + if(protocol = 'ftp', data_bytes_out, 0)) as bytes_out,
    case
        when bool_and(is_internal) or protocol in ('smtp', 'imap', 'pop3', 'ldap') then 'low'
        when bool_or(list_has_any(methods, ['PASS', 'AUTHINFO', 'LOGIN'])) or protocol = 'telnet' then 'high'
        else 'medium'
    end as severity,
    len(list_distinct(flatten(list(days)))) as days,
    sum(count) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list_distinct(flatten(list(users))) as users,
    list_distinct(flatten(list(machines))) as machines,
    list_slice(flatten(list(records)), 1, 20) as records
from spoken
where protocol in ('http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp', 'ldap', 'tftp')
group by script, host, protocol
