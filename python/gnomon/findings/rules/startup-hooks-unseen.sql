-- id: startup-hooks-unseen
-- title: Too many files at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: On {machines}, {what:words}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_findings
--
-- An environment has more files that may run code at start than gnomon looks at. Innocent: hardly; somebody may hide one among many.
select * exclude (id) from hook_findings where id = 'startup-hooks-unseen'
