-- id: ai-unapproved
-- title: AI service without approval
-- severity: by row
-- attack: T1567
-- remedy: The script's owner asks for the service to be approved for this use, or moves to one that is; whoever
--   approves it enters it as sanctioned in the organisation's catalogue.
-- needs: reach, organisation, script_facts
--
-- A script talked to an AI service that the organisation's catalogue does not call sanctioned: high. Medium where no
-- catalogue of the organisation says anything of any service, and for a service inside. Innocent: a contract that
-- nobody entered, a test with made-up data.
select
    r.script,
    r.host as subject,
    concat(
        shown(any_value(f.name)), ' ', sent_or_talked(sum(r.bytes_out)), ' ', shown(r.host), ' (',
        any_value(r.service_name), '), which the organisation ',
        case
            when bool_or(r.is_sanctioned = false) then 'does not allow'
            when any_value(o.has_judged_services) then 'has not approved'
            else 'is not known to have approved'
        end,
        ', on ', counted(len(list_distinct(flatten(list(r.days)))), 'day'), '.'
    ) as sentence,
    case
        when bool_or(r.is_sanctioned = false) then 'high'
        when bool_and(r.is_internal) then 'medium'
        when any_value(o.has_judged_services) then 'high'
        else 'medium'
    end as severity,
    sum(r.count) as count,
    min(r.first_seen) as first_seen,
    max(r.last_seen) as last_seen,
    list_distinct(flatten(list(r.users))) as users,
    list_distinct(flatten(list(r.machines))) as machines,
    list_slice(flatten(list(r.records)), 1, 20) as records
from reach r
cross join organisation o
join base.script_facts f using (script)
where r.is_ai and r.is_sanctioned is distinct from true
group by r.script, r.host
