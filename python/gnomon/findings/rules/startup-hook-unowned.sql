-- id: startup-hook-unowned
-- title: Code of no origin at the start of Python
-- severity: by row
-- attack: T1546
-- sentence: On {machines}, {what:words}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_findings
--
-- A file runs code whenever a Python of its environment starts, and no installed distribution lists it; it was there when gnomon first saw the environment. Innocent: a file of IT's own.
select * exclude (id) from hook_findings where id = 'startup-hook-unowned'
