-- id: startup-hook-new
-- title: New code at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: On {machines}, {what:words}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_findings
--
-- A file came to an environment that runs code, or may, whenever a Python of it starts, after gnomon had seen the environment without it. High where it runs code and no installed distribution lists it. Innocent: a library that was installed with such a file. docs/startup.md has more.
select * exclude (id) from hook_findings where id = 'startup-hook-new'
