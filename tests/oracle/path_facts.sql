-- What the catalogue says of each file by its path and name: the gravest, where it says several things. An entry that is
-- about writing counts for files that were written, and likewise for reading.
create table base.path_facts as
with used as (
    select
        path,
        bool_or(coalesce(reads, 0) > 0 or coalesce(failed, 0) > 0 or coalesce(denied, 0) > 0) as is_read,
        bool_or(coalesce(writes, 0) + coalesce(changes, 0) + coalesce(renames, 0) + coalesce(deletes, 0) > 0)
            as is_written,
        bool_or(coalesce(reads, 0) + coalesce(writes, 0) + coalesce(changes, 0) + coalesce(renames, 0)
            + coalesce(deletes, 0) > 0) as is_used
    from base.file_uses
    group by path
),
said as (
    select u.*, unnest(sensitivities_of(u.path)) as id from used u
)
select
    s.path,
    -- A look for a file that is not there, or a denial, is no use.
    bool_or(s.is_used) as is_used,
    unnest(arg_min(
        {
            'id': c.id, 'label': c.label, 'category': c.category, 'severity': c.severity,
            'attack': array_to_string(c.attack, ', ')
        },
        case c.severity when 'high' then 1 when 'medium' then 2 else 3 end
    ))
from said s
join catalog_paths c on c.id = s.id
where c.access not in ('read', 'write') or (c.access = 'read' and s.is_read) or (c.access = 'write' and s.is_written)
group by s.path
