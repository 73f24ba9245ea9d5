-- What each actor did with those files that a report may name: what the catalogue says something of, models, and those
-- that each script used most. All files are in `base.file_uses`, which is made when somebody reads it.
create table base.notable_files as
select * exclude (process, seq), {'process': process, 'seq': seq} as evidence
from file_rows
