-- What the rules found, with ids that are the same tomorrow, and what each adds to the risk of its script: of one rule
-- the first its points, the next half of them, the next a quarter, rounded down. Suppressed ones add nothing.
create or replace temp table finding_rows as
with named as (
    select
        finding_id(f.rule, f.script, f.subject) as finding,
        f.rule,
        f.severity,
        f.title,
        f.sentence,
        f.remedy,
        f.script,
        s.name as script_name,
        f.subject,
        list_sort(coalesce(f.users, s.users, [])) as users,
        list_sort(coalesce(f.machines, s.machines, [])) as machines,
        f.attack,
        coalesce(f.count, len(f.records), 1)::bigint as count,
        f.first_seen,
        f.last_seen,
        coalesce(list_slice(f.records, 1, 20), []) as records,
        f.points as most
    from found_rows f
    left join base.script_facts s using (script)
),
single as (
    -- Two rows of one rule about the same thing are one finding: the graver one.
    select * from named
    qualify row_number() over (
        partition by finding
        order by case severity when 'high' then 1 when 'medium' then 2 else 3 end, first_seen, sentence
    ) = 1
),
judged as (
    select n.*, u.owner, u.reason, u.until, u.finding is not null as is_suppressed
    from single n
    left join suppressed_rows u using (finding)
),
ranked as (
    select *, row_number() over (partition by script, rule, is_suppressed order by most desc, finding) as place
    from judged
)
select
    finding, rule, severity, title, sentence, remedy, script, script_name, subject, users, machines, attack, count,
    first_seen, last_seen, records,
    (case when is_suppressed or script is null then 0 else most // (1 << least(place - 1, 20)) end)::integer as points,
    is_suppressed,
    owner as suppressed_by,
    reason as suppressed_because,
    until as suppressed_until,
    most,
    place
from ranked
order by case severity when 'high' then 1 when 'medium' then 2 else 3 end, rule, script_name, subject, finding
