-- One row for each recorded run of an interpreter, children and forks included.
-- process VARCHAR: the run's id, unique across machines, sorted by start
-- parent VARCHAR: the id of the recorded process that started it
-- run VARCHAR: the id of the `gnomon run` that it is part of
-- pid UINTEGER: its pid
-- parent_pid UINTEGER: its parent's
-- parent_name VARCHAR: the name of the program that started it, as the kernel tells it
-- started_by VARCHAR: `script` (a recorded process), `cron`, `systemd`, `task scheduler`, `editor`, `shell`,
--   `gnomon run` or `other`
-- started TIMESTAMP: when it started (UTC, as all times)
-- ended TIMESTAMP: when it ended; null where it was killed, crashed, left by `os._exit`, or still runs
-- last_seen TIMESTAMP: the time of its last record
-- seconds DOUBLE: how long it ran, as far as is known
-- status INTEGER: its exit status
-- user VARCHAR: the user's name; `uid 1234` where the number has none
-- uid UINTEGER: the user's number
-- is_forged BOOLEAN: it says to be of another user than its files belong to
-- machine VARCHAR: the machine's host name
-- machine_id VARCHAR: the machine's id, which stays when it is renamed
-- executable VARCHAR: the interpreter
-- python VARCHAR: its version
-- environment VARCHAR: its virtual environment
-- argv VARCHAR[]: its command line, secrets masked
-- directory VARCHAR: where it was started
-- script VARCHAR: the id of the script that it ran, as in `scripts`
-- script_form VARCHAR: `file`, `module`, `command` (`-c`), `stdin`, `archive`, `directory`, `kernel` (a notebook) or
--   `interactive`
-- script_name VARCHAR: the script's name: that of its file, its module, or the start of its command
-- script_path VARCHAR: the file that holds its code
-- script_sha256 VARCHAR: the hash of its content when it started; null for what multiprocessing starts by a command of its own
-- hook_proven BOOLEAN: gnomon raised an event and saw it arrive
-- native VARCHAR: whether native code was watched: `on`, `off`, `unsupported`, `failed`
-- managed BOOLEAN: it was recorded by gnomon as installed for the whole machine
-- records UBIGINT: how many records it left
-- lost BIGINT: how many were lost, as far as it could count them
-- gnomon VARCHAR: the version that recorded it
select
    r.process,
    r.parent,
    r.run,
    r.pid,
    r.parent_pid,
    r.parent_name,
    r.started_by,
    r.started,
    r.ended,
    r.last_seen,
    epoch(coalesce(r.ended, r.last_seen) - r.started) as seconds,
    r.status,
    r.user,
    r.uid,
    r.is_forged,
    r.machine,
    r.machine_id,
    r.executable,
    r.python,
    r.environment,
    r.argv,
    r.directory,
    r.script,
    r.script_form,
    r.script_name,
    r.script_path,
    r.script_sha256,
    r.hook_proven,
    r.native,
    r.managed,
    r.records,
    coalesce(l.count, 0)::bigint as lost,
    r.gnomon
from base.runs r
left join (select process, sum(count) as count from loss_rows group by process) l using (process)
