-- The gravest first.
select * from findings
order by severity_rank(severity), points desc, rule, script_name, subject, finding
