-- Words for the sentences of rules: what a watched program chose is quoted and cut, figures are as people write them.
create or replace temp macro shown(text) as
    case
        when text is null or text = '' then '?'
        when regexp_full_match(text, '[\pL\pN_@./:+~=,%#-]{1,80}') then text
        when length(text) <= 80 then concat('“', replace(text, '”', '"'), '”')
        else concat('“', replace(concat(left(text, 40), '…', right(text, 39)), '”', '"'), '”')
    end;
create or replace temp macro counted(number, thing) as
    format('{:,} {}{}', number::bigint, thing, if(number = 1, '', 's'));
create or replace temp macro in_bytes(number) as
    case
        when number < 1000 then counted(number, 'byte')
        when number < 999950 then format('{:.1f} kB', number / 1e3)
        when number < 999950000 then format('{:.1f} MB', number / 1e6)
        when number < 999950000000 then format('{:.1f} GB', number / 1e9)
        else format('{:,.1f} TB', number / 1e12)
    end;
create or replace temp macro on_day(moment) as strftime(moment, '%Y-%m-%d');
create or replace temp macro listed(texts) as
    concat(
        array_to_string(list_transform(list_slice(texts, 1, 3), lambda one: shown(one)), ', '),
        if(len(texts) > 3, format(' and {:,} more', len(texts) - 3), '')
    );
create or replace temp macro sent_or_talked(bytes) as
    if(coalesce(bytes, 0) > 0, concat('sent ', in_bytes(bytes), ' to'), 'talked to');
create or replace temp macro finding_id(rule, script, subject) as
    substr(sha256(concat(rule, chr(10), script, chr(10), subject)), 1, 12)
