-- id: startup-hook-differs
-- title: Code at the start of Python that is not as installed
-- severity: by row
-- attack: T1546
-- sentence: On {machines}, {what:words}.
-- remedy: Find out who put it there, and remove it if nobody meant to.
-- needs: hook_findings
--
-- A file that runs code whenever a Python of its environment starts is not what its distribution installed; it was so when gnomon first saw the environment. Innocent: a patch by hand.
select * exclude (id) from hook_findings where id = 'startup-hook-differs'
