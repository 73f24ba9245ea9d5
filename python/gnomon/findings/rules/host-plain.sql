-- id: host-plain
-- title: Connection without encryption
-- severity: by row
-- attack: T1040
-- remedy: The script's owner uses the encrypted form of the protocol (https, sftp, ssh, smtp with TLS), and the owner of
--   the host offers it.
-- needs: reach, script_facts
--
-- A script talked to a host beyond its machine by a protocol that has no encryption of its own: http, ftp, telnet and the
-- like, by its requests, else by its port. High where it also logged in, low inside, and low for mail and directories,
-- which may switch to encryption in the middle: gnomon does not see that. Innocent: public data that is only read.
with spoken as (
    select
        *,
        coalesce(
            list_filter(schemes, lambda one: one in ('http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp'))[1],
            if(len(schemes) = 0 and port is distinct from 8080, port_protocol, null)
        ) as protocol
    from reach
)
select
    s.script,
    concat(s.protocol, '://', s.host) as subject,
    concat(
        shown(any_value(f.name)), ' ', sent_or_talked(sum(s.bytes_out)), ' ', shown(s.host), ' by ', s.protocol,
        ', which anybody on the way can read, on ', counted(len(list_distinct(flatten(list(s.days)))), 'day'), '.'
    ) as sentence,
    case
        when bool_and(s.is_internal) or s.protocol in ('smtp', 'imap', 'pop3', 'ldap') then 'low'
        when bool_or(list_has_any(s.methods, ['PASS', 'AUTHINFO', 'LOGIN'])) or s.protocol = 'telnet' then 'high'
        else 'medium'
    end as severity,
    sum(s.count) as count,
    min(s.first_seen) as first_seen,
    max(s.last_seen) as last_seen,
    list_distinct(flatten(list(s.users))) as users,
    list_distinct(flatten(list(s.machines))) as machines,
    list_slice(flatten(list(s.records)), 1, 20) as records
from spoken s
join base.script_facts f using (script)
where s.protocol in ('http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp', 'ldap', 'tftp')
    and s.host not in ('169.254.169.254', '169.254.170.2')
group by s.script, s.host, s.protocol
