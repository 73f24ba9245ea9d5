-- Models opened from disk, by how their files are called.
with weights as (
    select a.script, a.user, a.machine, u.*, regexp_extract(lower(u.path), '\.([a-z]+)$', 1) as type
    from base.notable_files u
    join base.actors a using (actor)
    where u.reads > 0 and (ends_with(u.path, '.gguf') or ends_with(u.path, '.ggml')
        or ends_with(u.path, '.safetensors') or ends_with(u.path, '.onnx') or ends_with(u.path, '.tflite')
        or ends_with(u.path, '.GGUF') or ends_with(u.path, '.llamafile') or ends_with(u.path, '.pth')
        or ends_with(u.path, '.ckpt'))
)
select
    type,
    list_sort(list(distinct path))[:20] as paths,
    count(distinct path) as files,
    list_sort(list(distinct script)) as scripts,
    list_sort(list(distinct user)) as users,
    list_sort(list(distinct machine)) as machines,
    sum(runs)::bigint as runs,
    sum(reads)::bigint as calls,
    coalesce(sum(bytes_read), 0)::bigint as bytes_in,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen
from weights
group by type
order by type
