-- id: credential-in-arguments
-- title: Password or key on a command line
-- severity: medium
-- attack: T1552.003
-- sentence: {script} has a password or key on a command line ({where:words} of {program:name}), where every user of
--   the machine can read it, {count:count time}.
-- remedy: The script's owner changes this password or key, and has the script read it from a file that only its user can
--   read, or from a vault.
-- needs: runs, acts
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
    select * exclude (argv), argv[1] as program, unnest(argv) as argument,
        unnest(list_prepend('', argv[1:len(argv) - 1])) as before
    from lines
),
named as (
    select
        *,
        case
            when argument = '***' then regexp_extract(before, '^-{0,2}([A-Za-z][A-Za-z0-9_.-]{0,39})$', 1)
            when regexp_matches(argument, '://[^ ]*\*\*\*') then 'an address'
            else regexp_extract(
                argument, '(?s)(?:^|.*[^A-Za-z0-9_])([A-Za-z][A-Za-z0-9_.-]{0,39})["'']?\]?\)?[ ]*[=:(,][^*=:(,]{0,20}\*\*\*', 1
            )
        end as name
    from arguments
    where argument like '%***%' and not regexp_matches(argument, '\*{4}|[/\\]\*\*\*|\*\*\*[/\\]')
)
select
    script,
    if(name = '', 'an argument', name) as subject,
    case name when '' then 'an argument' when 'an address' then name else concat('“', name, '”') end as "where",
    any_value(program) as program,
    count(*) as count,
    min(time) as first_seen,
    max(time) as last_seen,
    list(distinct user) as users,
    list(distinct machine) as machines,
    arg_min(evidence, time, 20) as records
from named
group by script, name
