-- id: data-unreviewed
-- title: Sensitive data in a script outside every repository
-- severity: low
-- sentence: {script} read {subject:words} ({files:count file}, {count:count run}), and its file {path} is in no repository.
-- remedy: The script's owner puts it into a repository, where somebody else reads it.
-- needs: sensitive_reads, runs, script_facts
--
-- A script reads what the catalogue calls sensitive, and its file is in no git repository, so nobody reviews it. Only
-- for files that are on this machine. Innocent: a script that is kept in another system of versions.
select
    r.script,
    s.label as subject,
    any_value(f.path) as path,
    count(distinct s.path) as files,
    count(distinct s.process) as count,
    min(s.first_read) as first_seen,
    max(s.last_read) as last_seen,
    list(distinct r.user) as users,
    list(distinct r.machine) as machines,
    arg_min(s.evidence, s.first_read, 20) as records
from base.sensitive_reads s
join base.runs r using (process)
join base.script_facts f on f.script = r.script
where f.is_in_repository = false and s.category not in ('credentials', 'keys')
group by r.script, s.label
