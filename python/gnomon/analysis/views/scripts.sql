-- One row for each script. It is known by its content: the same content under another name, user or machine is the
-- same script, and so is what stood at the same path of the same machine before and after a change.
-- script VARCHAR: its id: the first 12 digits of the hash of its first version that was seen
-- name VARCHAR: its name, as last seen: that of its file, its module, or the start of its command
-- form VARCHAR: `file`, `module`, `command` (`-c`), `stdin`, `archive`, `directory`, `kernel` (a notebook) or `interactive`
-- path VARCHAR: where it was last seen
-- paths VARCHAR[]: every path that it had
-- sha256 VARCHAR: the hash of its content, as last seen
-- versions BIGINT: how many different contents it had
-- users VARCHAR[]: who ran it
-- machines VARCHAR[]: where
-- runs BIGINT: how often it was started; forks and workers that belong to a run are not counted
-- failed_runs BIGINT: how many of them ended with an exit status other than 0
-- days BIGINT: on how many days (UTC)
-- first_seen TIMESTAMP: when it was first run
-- last_seen TIMESTAMP: when it was last seen running
-- schedule VARCHAR: how it is started, as far as parents and times tell: `cron, daily at 06:00 (UTC)`; by the clocks of the
--   working hours where they were set meanwhile; null where it is by hand
-- owner VARCHAR: whom its file belonged to; null where no account had that number
-- owner_uid UINTEGER: the number of its file's owner
-- owner_exists BOOLEAN: whether the owner has an account; null where that is not known
-- is_leaver BOOLEAN: whether the owner, or everybody who ran it, is on the list of leavers; null without such a list
-- is_owner_leaver BOOLEAN: whether the owner is on it
-- repository VARCHAR: the git repository that its file is in
-- is_in_repository BOOLEAN: null where nobody could look, as the file is on another machine
-- libraries BIGINT: how many distributions it imported
-- hosts BIGINT: how many hosts beyond its machine it talked to
-- bytes_out BIGINT: bytes sent there, as far as native code told
-- bytes_in BIGINT: bytes received from there
-- ai_services VARCHAR[]: the AI services that it talked to
-- files_read BIGINT: how many files it read
-- files_written BIGINT: how many it wrote
-- files_deleted BIGINT: how many it deleted
-- children BIGINT: how many programs it started
-- denied BIGINT: how often policy denied it something; what observed rules would have denied stands in `events`
-- warned BIGINT: how often policy warned
-- justified BIGINT: how often policy asked for a justification
-- findings BIGINT: how many findings there are about it that are not suppressed
-- severity VARCHAR: that of its gravest finding: `high`, `medium` or `low`; null for none
-- risk INTEGER: its risk score, 0 to 100: docs/findings.md says how it is made
select
    f.script,
    f.name,
    f.form,
    f.path,
    f.paths,
    f.sha256,
    len(f.hashes) as versions,
    f.users,
    f.machines,
    f.runs,
    f.failed_runs,
    f.days,
    f.first_seen,
    f.last_seen,
    f.schedule,
    f.owner,
    f.owner_uid,
    f.owner_exists,
    f.is_leaver,
    f.is_owner_leaver,
    f.repository,
    f.is_in_repository,
    f.libraries,
    f.hosts,
    f.bytes_out,
    f.bytes_in,
    f.ai_services,
    f.files_read,
    f.files_written,
    f.files_deleted,
    f.children,
    f.denied,
    f.warned,
    f.justified,
    coalesce(r.findings, 0)::bigint as findings,
    r.severity,
    coalesce(r.risk, 0)::integer as risk
from base.script_facts f
left join risk_rows r using (script)
