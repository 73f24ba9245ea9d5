-- One row for each thing that a person should look at: what a rule found about one subject (docs/findings.md).
-- finding VARCHAR: its id, the same tomorrow for the same rule, script and subject
-- rule VARCHAR: the rule that found it: `ai-unsanctioned`, `library-vulnerable`, …
-- severity VARCHAR: `high`, `medium` or `low`
-- title VARCHAR: the rule in a few words
-- sentence VARCHAR: what is the matter, as a sentence
-- remedy VARCHAR: what to do, as a sentence
-- script VARCHAR: the script that it is about; null where it is about a machine
-- script_name VARCHAR: its name
-- subject VARCHAR: the host, file, library or account that it is about
-- users VARCHAR[]: who ran it
-- machines VARCHAR[]: where
-- attack VARCHAR: the MITRE ATT&CK technique, where there is one
-- count BIGINT: how many times: requests, else connections, of hosts; runs of data and libraries; otherwise events or things
-- first_seen TIMESTAMP: when it was first so
-- last_seen TIMESTAMP: when it was last so
-- records STRUCT(process VARCHAR, seq UBIGINT)[]: the records that show it, at most 20
-- points INTEGER: what it adds to the risk of its script
-- is_suppressed BOOLEAN: somebody accepted it, and that has not expired
-- suppressed_by VARCHAR: who
-- suppressed_because VARCHAR: why
-- suppressed_until DATE: until when
select
    finding, rule, severity, title, sentence, remedy, script, script_name, subject, users, machines, attack, count,
    first_seen, last_seen, records, points, is_suppressed, suppressed_by, suppressed_because, suppressed_until
from finding_rows
