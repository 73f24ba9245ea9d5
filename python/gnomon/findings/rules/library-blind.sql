-- id: library-blind
-- title: Native code that can act unseen
-- severity: low
-- points: high 15, medium 5, low 2
-- attack: T1106
-- sentence: {script} {used:words} {subject:name}, which can act unseen: {why:words}.
-- remedy: Whoever looks after the machines keeps in mind that the report may not have all that such a library did; the
--   network's own records have the rest.
-- needs: blind_rows, acts, runs
--
-- A script loaded native code that can act without gnomon seeing it: it has system calls of its own, is written in Go, or
-- uses io_uring. That it can does not mean that it did. Innocent: nearly always; polars is an example.
select
    r.script,
    a.target as subject,
    if(a.target = 'io_uring', 'used', 'loaded') as used,
    case
        when a.target = 'io_uring' then 'operations that are queued there pass by'
        when any_value(b.state) = 'go' then 'a Go runtime acts without the C library'
        when starts_with(any_value(b.state), 'system calls') then 'it makes system calls of its own'
        when starts_with(any_value(b.state), 'not redirected') then 'its calls could not be redirected'
        when starts_with(any_value(b.state), 'not examined') then 'it could not be examined'
        else any_value(b.state)
    end as why,
    sum(a.count) as count,
    min(a.first_seen) as first_seen,
    max(a.last_seen) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min(a.evidence, a.first_seen, 20) as records
from base.acts a
join blind_rows b on b.target is not distinct from a.target and b.detail is not distinct from a.detail
join base.runs r using (process)
where a.kind = 'blind'
group by r.script, a.target
