-- id: startup-hook-changed
-- title: Changed code at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: On {machines}, {what:words}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_findings
--
-- A file that runs code whenever a Python of its environment starts is not what it was. High where no installed distribution vouches for it. Innocent: an update.
select * exclude (id) from hook_findings where id = 'startup-hook-changed'
