-- One row for each run and each other end that it had to do with.
-- process VARCHAR: the run
-- script VARCHAR: its script
-- script_name VARCHAR: the script's name
-- user VARCHAR: who ran it
-- machine VARCHAR: where
-- machine_id VARCHAR: where
-- host VARCHAR: the name that was asked for; the address where there was none; a Unix socket's path
-- port USMALLINT: the port
-- addresses VARCHAR[]: the addresses behind it
-- is_local BOOLEAN: the machine itself: loopback or a Unix socket
-- is_internal BOOLEAN: a private address, or a host that the organisation's catalogue names as its own
-- protocol VARCHAR: by its requests, else by its port: `https`, `http`, `ftp`, `postgresql`, …
-- is_plain BOOLEAN: the protocol has no encryption of its own; null where it is not known
-- service VARCHAR: the catalogue's id of the AI service behind it
-- service_name VARCHAR: its name
-- is_ai BOOLEAN: whether it is one, or a local model's server
-- is_sanctioned BOOLEAN: whether the organisation approved it; null where its catalogue does not say
-- category VARCHAR: what the catalogue says of the host otherwise: `paste site`, `file sharing`, …
-- severity VARCHAR: how much that matters
-- attack VARCHAR: the MITRE ATT&CK technique that it may stand for
-- connects BIGINT: connections made; neither failed nor denied
-- requests BIGINT: requests made
-- resolves BIGINT: look-ups of its name
-- datagrams BIGINT: datagrams sent to an address
-- failed BIGINT: how many connections and look-ups failed
-- denied BIGINT: how many operations policy stopped
-- bytes_out BIGINT: bytes sent, as far as native code told
-- bytes_in BIGINT: bytes received
-- methods VARCHAR[]: the verbs of the requests
-- urls VARCHAR[]: their URLs, without queries
-- distributions VARCHAR[]: the distributions that made the calls
-- caused_by STRUCT(file VARCHAR, line UINTEGER, "function" VARCHAR): the line that first caused it
-- first_seen TIMESTAMP: when it first happened
-- last_seen TIMESTAMP: when it last happened
-- evidence STRUCT(process VARCHAR, seq UBIGINT): the first record of it
select
    c.process,
    r.script,
    r.script_name,
    r.user,
    r.machine,
    r.machine_id,
    c.host,
    c.port,
    c.addresses,
    n.is_local,
    n.is_internal,
    coalesce(c.schemes[1], n.port_protocol) as protocol,
    coalesce(c.schemes[1], n.port_protocol) in ('http', 'ftp', 'telnet', 'smtp', 'imap', 'pop3', 'nntp', 'ldap', 'tftp')
        as is_plain,
    n.service,
    n.service_name,
    n.is_ai,
    n.is_sanctioned,
    n.category,
    n.severity,
    n.attack,
    coalesce(c.connects, 0) as connects,
    coalesce(c.requests, 0) as requests,
    coalesce(c.resolves, 0) as resolves,
    coalesce(c.datagrams, 0) as datagrams,
    coalesce(c.failed, 0) as failed,
    coalesce(c.denied, 0) as denied,
    coalesce(c.bytes_out, 0) as bytes_out,
    coalesce(c.bytes_in, 0) as bytes_in,
    c.methods,
    c.urls,
    c.distributions,
    c.caused_by,
    c.first_seen,
    c.last_seen,
    c.evidence
from base.contacts c
join base.runs r using (process)
join base.host_facts n on n.host = c.host and n.port is not distinct from c.port
