-- id: user-forged
-- title: Records of another user than they say
-- severity: high
-- points: high 60, medium 20, low 5
-- attack: T1565.001
-- sentence: Records of {script} say that {subject} ran it, but they belong to account number {owners} ({count:count
--   run}).
-- remedy: Security asks the user whom the files belong to.
-- needs: runs
--
-- Records say to be of a user, and the files that hold them belong to another who may not speak for that user. Innocent:
-- files that an administrator copied without their owners.
select
    script,
    user as subject,
    list_sort(list(distinct owner_uid::varchar)) as owners,
    count(*) as count,
    min(started) as first_seen,
    max(started) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    arg_min({'process': process, 'seq': 0::ubigint}, started, 20) as records
from base.runs
where is_forged
group by script, user
