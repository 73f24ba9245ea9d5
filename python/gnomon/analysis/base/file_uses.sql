-- What each script did with each file, for each user on each machine. A rename or copy also makes its destination.
select * exclude (process, seq), {'process': process, 'seq': seq} as evidence
from file_use_stream
