-- Runs that ended without a word.
select count(*) as count, list_sort(list(distinct script)) as scripts, list_sort(list(distinct machine)) as machines
from base.runs where ended is null
