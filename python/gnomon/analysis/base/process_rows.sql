-- Of a process that stands in two spools, one.
create table base.process_rows as
select * exclude (copy) replace (coalesce(nullif(user, ''), 'uid ' || uid, '') as user)
from (select *, row_number() over (partition by id order by records desc) as copy from process_stream)
where copy = 1 and role = 'python'
