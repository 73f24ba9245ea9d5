-- id: ai-unapproved
-- title: AI service without approval
-- severity: by row
-- attack: T1567
-- sentence: {script} {bytes_out:sent} {subject}[[ ({service_name:words})]], which the organisation {approval:words}, on
--   {days:count day}.
-- remedy: The script's owner asks for the service to be approved for this use, or moves to one that is; whoever
--   approves it enters it as sanctioned in the organisation's catalogue.
-- needs: reach, organisation
--
-- A script talked to an AI service that the organisation's catalogue does not call sanctioned: high. Medium where no
-- catalogue of the organisation says anything of any service, and for a service inside. Innocent: a contract that
-- nobody entered, a test with made-up data.
select
    script,
    host as subject,
    any_value(service_name) as service_name,
    sum(bytes_out) as bytes_out,
    case
        when bool_or(is_sanctioned = false) then 'does not allow'
        when any_value(o.has_judged_services) then 'has not approved'
        else 'is not known to have approved'
    end as approval,
    case
        when bool_or(is_sanctioned = false) then 'high'
        when bool_and(is_internal) then 'medium'
        when any_value(o.has_judged_services) then 'high'
        else 'medium'
    end as severity,
    len(list_distinct(flatten(list(days)))) as days,
    sum(count) as count,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list_distinct(flatten(list(users))) as users,
    list_distinct(flatten(list(machines))) as machines,
    list_slice(flatten(list(records)), 1, 20) as records
from reach
cross join organisation o
where is_ai and is_sanctioned is distinct from true
group by script, host
