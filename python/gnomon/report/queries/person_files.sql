-- Files that they used.
select u.path, p.label, a.script, a.script_name, a.machine, u.runs, coalesce(u.reads, 0) as reads,
    coalesce(u.writes, 0) as writes, coalesce(u.deletes, 0) as deletes, coalesce(u.denied, 0) as denied,
    u.first_seen, u.last_seen, u.evidence
from base.file_uses u
join base.actors a using (actor)
left join base.path_facts p using (path)
where a.user = $name or a.uid = $uid
order by u.path, a.script, a.machine
