-- id: credential-in-script
-- title: Password or key in a script
-- severity: by row
-- attack: T1552.001
-- sentence: {script} holds what looks like {what:words} in {lines:count line} of {subject}: {lines_listed:words}.
-- remedy: The script's owner changes this password or key, and has the script read it from a file that only its user can
--   read, or from a vault.
-- needs: credential_rows, runs
--
-- The text of a script holds what looks like a key of a known service (high), or a password by its name or in an address
-- (medium). Only for scripts that are on this machine as they were when they ran; `--no-scan` leaves it out. Only lines are
-- told, never the text. Innocent: a password of a test, a value that only looks like one.
select
    c.script,
    c.path as subject,
    if(bool_or(c.kind = 'key'), 'a key of a service', 'a password') as what,
    count(*) as lines,
    list(concat('line ', c.line) order by c.line) as lines_listed,
    if(bool_or(c.kind = 'key'), 'high', 'medium') as severity,
    count(*) as count,
    min(r.started) as first_seen,
    max(r.started) as last_seen,
    [{'process': any_value(c.process), 'seq': 0::ubigint}] as records
from credential_rows c
join base.runs r using (process)
group by c.script, c.path
