create or replace temp table risk_points as
select
    script,
    finding,
    points,
    concat(
        title, ' (', severity, ')',
        case place
            when 1 then ''
            when 2 then format(': the second of its rule, half of {}', most)
            when 3 then format(': the third of its rule, a quarter of {}', most)
            else format(': number {} of its rule, {} halved {} times', place, most, place - 1)
        end
    ) as because
from finding_rows
where script is not null and not is_suppressed;
create or replace temp table risk_rows as
select
    script,
    count(*) as findings,
    arg_min(severity, case severity when 'high' then 1 when 'medium' then 2 else 3 end) as severity,
    least(100, sum(points))::integer as risk
from finding_rows
where script is not null and not is_suppressed
group by script
