-- id: user-forged
-- title: Records of another user than they say
-- severity: high
-- points: high 60, medium 20, low 5
-- attack: T1565.001
-- remedy: Security asks the user whom the files belong to.
-- needs: runs, script_facts
--
-- Records say to be of a user, and the files that hold them belong to another who may not speak for that user. Innocent:
-- files that an administrator copied without their owners.
select
    r.script,
    r.user as subject,
    concat(
        'Records of ', shown(any_value(f.name)), ' say that ', shown(r.user), ' ran it, but they belong to the account number ',
        listed(list_sort(list(distinct r.owner_uid::varchar))), ' (', counted(count(*), 'run'), ').'
    ) as sentence,
    count(*) as count,
    min(r.started) as first_seen,
    max(r.started) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min({'process': r.process, 'seq': 0::ubigint}, r.started, 20) as records
from base.runs r
join base.script_facts f using (script)
where r.is_forged
group by r.script, r.user
