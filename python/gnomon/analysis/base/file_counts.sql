-- How many files each script used.
create table base.file_counts as
select
    script,
    sum(files)::bigint as files,
    sum(files_read)::bigint as files_read,
    sum(files_written)::bigint as files_written,
    sum(files_deleted)::bigint as files_deleted
from count_rows
group by script
