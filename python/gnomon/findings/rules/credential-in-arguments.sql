-- id: credential-in-arguments
-- title: Password or key on a command line
-- severity: medium
-- attack: T1552.003
-- remedy: The script's owner changes this password or key, and has the script read it from a file that only its user can
--   read, or from a vault.
-- needs: runs, acts, script_facts
--
-- A script, or a program that it started, was given what gnomon masked as a secret when it recorded the command line. Every
-- user of the machine can read command lines while the program runs. Only the name before the secret is told: gnomon never
-- stored the secret itself. Innocent: an argument that really is `***`.
with lines as (
    select script, user, machine, argv, started as time, {'process': process, 'seq': 0::ubigint} as evidence
    from base.runs
    where started_by <> 'script' and array_to_string(argv, ' ') like '%***%'
    union all
    select r.script, r.user, r.machine, a.argv, a.first_seen, a.evidence
    from base.acts a
    join base.runs r using (process)
    where a.kind in ('spawn', 'exec') and array_to_string(a.argv, ' ') like '%***%'
),
arguments as (
    select script, user, machine, time, evidence, argv[1] as program,
        unnest(argv) as argument, unnest(list_prepend('', argv[1:len(argv) - 1])) as before
    from lines
),
named as (
    select
        * exclude (before),
        coalesce(case
            when argument = '***' then nullif(regexp_extract(before, '^-{0,2}([A-Za-z][A-Za-z0-9_.-]{0,39})$', 1), '')
            when regexp_matches(argument, '://[^ ]*\*\*\*') then 'an address'
            else nullif(regexp_extract(argument, '([A-Za-z][A-Za-z0-9_.-]{0,39})["'']?\]?\)?[ ]*[=:(,]*[^*]{0,20}\*\*\*', 1), '')
        end, 'an argument') as name
    from arguments
    where argument like '%***%' and not regexp_matches(argument, '\*{4}|[/\\]\*\*\*|\*\*\*[/\\]')
)
select
    n.script,
    n.name as subject,
    concat(
        shown(any_value(f.name)), ' has a password or key on a command line (',
        case n.name
            when 'an address' then 'in an address'
            when 'an argument' then 'in an argument'
            else concat('“', n.name, '” of ', shown(regexp_extract(any_value(n.program), '([^/\\]*)$', 1)))
        end,
        '), where every user of the machine can read it, ', counted(count(*), 'time'), '.'
    ) as sentence,
    count(*) as count,
    min(n.time) as first_seen,
    max(n.time) as last_seen,
    list(distinct n.user) as users,
    list(distinct n.machine) as machines,
    arg_min(n.evidence, n.time, 20) as records
from named n
join base.script_facts f using (script)
group by n.script, n.name
