-- One row for each thing that was not seen, or not as it should be: what the other views cannot tell.
-- kind VARCHAR: `lost`, `fault`, `unproven hook`, `native code unwatched`, `blind library`, `silent child`, `forged`,
--   `evicted` or `no end`
-- reason VARCHAR: why, in the words of docs/records.md
-- process VARCHAR: the run that it concerns
-- script VARCHAR: its script
-- script_name VARCHAR: the script's name
-- user VARCHAR: who ran it
-- machine VARCHAR: where
-- subject VARCHAR: what: the file, the library, the command line
-- count BIGINT: how many records, files or children
-- time TIMESTAMP: when, as far as is known
select
    g.kind,
    g.reason,
    g.process,
    r.script,
    r.script_name,
    r.user,
    r.machine,
    g.subject,
    g.count,
    coalesce(g.time, r.started) as time
from base.gap_rows g
left join base.runs r using (process)
