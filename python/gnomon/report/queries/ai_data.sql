-- Labels of data that runs read before they talked to a host, by script and host.
select script, host, list_sort(list(distinct label)) as labels from base.flows group by script, host
