-- Modules that were loaded, by what was installed where the process looked.
create table base.imports as
select actor, module, file, runs, modules, first_seen, last_seen, {'process': process, 'seq': seq} as evidence
from import_rows
