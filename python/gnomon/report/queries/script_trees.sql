-- The processes of the last run of each script that had children, at most 40 of each.
with recursive parents as (
    select distinct parent as process from base.runs where parent is not null
    union
    select process from silent_rows
    union
    select process from base.acts where kind in ('spawn', 'exec')
),
roots as (
    select r.script as root, arg_max(r.process, r.started) as process
    from base.runs r
    join parents p using (process)
    left join base.runs above on above.process = r.parent
    where above.script is distinct from r.script
    group by r.script
),
found as (
    select root, process, null::varchar as parent, 0 as depth from roots
    union all
    select f.root, r.process, r.parent, f.depth + 1
    from found f
    join base.runs r on r.parent = f.process
    where f.depth < 6
)
select f.root, f.process, f.parent, r.script, r.script_name, r.user, r.started, r.status,
    array_to_string(r.argv, ' ') as command
from found f
join base.runs r using (process)
qualify row_number() over (partition by f.root order by f.depth, r.started) <= 40
order by f.root, f.depth, r.started
