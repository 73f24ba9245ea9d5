-- One row for each file that a script used, for each user and environment.
-- script VARCHAR: the script
-- script_name VARCHAR: its name
-- user VARCHAR: who ran it
-- machine VARCHAR: where
-- machine_id VARCHAR: where
-- path VARCHAR: the file
-- folder VARCHAR: its directory
-- name VARCHAR: its name
-- type VARCHAR: its extension, in lower case
-- sensitivity VARCHAR: the id of what its path and name say that it may hold, by the catalogue; its content is never read
-- label VARCHAR: the same in words: `customer data`
-- category VARCHAR: `credentials`, `keys`, `browser`, `hr`, `finance`, `customer`, …
-- severity VARCHAR: how much that matters: `high`, `medium`, `low`, or `info` for what is no risk of its own, as models
-- attack VARCHAR: the MITRE ATT&CK techniques that reading it may stand for
-- runs BIGINT: how many runs used it
-- reads BIGINT: how often it was opened for reading or as a database of SQLite, mapped, or copied from
-- writes BIGINT: how often it was opened for writing, or made by a copy or rename; of a database, where native code told that it was written
-- deletes BIGINT: how often it was deleted
-- renames BIGINT: how often it was renamed to another name
-- changes BIGINT: other changes: modes, owners, times, links
-- failed BIGINT: how many operations failed, as far as native code told
-- denied BIGINT: how many policy stopped
-- bytes_read BIGINT: bytes read, as far as native code told
-- bytes_written BIGINT: bytes written
-- first_seen TIMESTAMP: when it was first used
-- last_seen TIMESTAMP: when it was last used
-- evidence STRUCT(process VARCHAR, seq UBIGINT): the first record of it
select
    a.script,
    a.script_name,
    a.user,
    a.machine,
    a.machine_id,
    u.path,
    regexp_extract(u.path, '^(.*)/[^/]*$', 1) as folder,
    regexp_extract(u.path, '([^/]*)$', 1) as name,
    lower(regexp_extract(u.path, '[^/]\.([A-Za-z0-9_]{1,12})$', 1)) as type,
    p.id as sensitivity,
    p.label,
    p.category,
    p.severity,
    p.attack,
    u.runs,
    coalesce(u.reads, 0) as reads,
    coalesce(u.writes, 0) as writes,
    coalesce(u.deletes, 0) as deletes,
    coalesce(u.renames, 0) as renames,
    coalesce(u.changes, 0) as changes,
    coalesce(u.failed, 0) as failed,
    coalesce(u.denied, 0) as denied,
    coalesce(u.bytes_read, 0) as bytes_read,
    coalesce(u.bytes_written, 0) as bytes_written,
    u.first_seen,
    u.last_seen,
    u.evidence
from base.file_uses u
join base.actors a using (actor)
left join base.path_facts p using (path)
