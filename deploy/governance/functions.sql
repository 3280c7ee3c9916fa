-- Mask and filter functions, named by the models (`column_mask`, `row_filter`) without a schema:
-- dbt looks for them beside the table, so silver and gold each have the three.
--
-- Masks bind everyone, the owner of the table too. dbt itself must read what is there, or it would
-- write masked values on: hence the transform principal beside the stewards.
--
-- Parameters: catalog, stewards (group), transform (application id of the service principal).
-- A function's body admits no parameter marker, so each statement is put together first.

declare or replace variable sees_all string;
declare or replace variable statement string;

set variable sees_all = concat(
    '(is_account_group_member(''', :stewards, ''') or session_user() = ''', :transform, ''')'
);

-- Coaches and the like: which members a person may look at, one row each.
set variable statement = concat(
    'create table if not exists `', :catalog, '`.silver.member_access ('
    'principal string not null comment ''user name of the reader'', '
    'user_id string not null comment ''member whose heart rates the reader may see'') '
    'comment ''Read by the row filters; kept by the stewards'''
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.mask_text(value string) returns string '
    'comment ''The value to stewards, null to others'' '
    'return case when ', sees_all, ' then value end'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.gold.mask_text(value string) returns string '
    'comment ''The value to stewards, null to others'' '
    'return case when ', sees_all, ' then value end'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.mask_date(value date) returns date '
    'comment ''The value to stewards, null to others'' '
    'return case when ', sees_all, ' then value end'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.gold.mask_date(value date) returns date '
    'comment ''The value to stewards, null to others'' '
    'return case when ', sees_all, ' then value end'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.visible_member(member string) returns boolean '
    'comment ''All rows to stewards; to others those of members they were given'' '
    'return ', sees_all, ' or exists (select 1 from `', :catalog, '`.silver.member_access as access '
    'where access.principal = session_user() and access.user_id = member)'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.gold.visible_member(member string) returns boolean '
    'comment ''All rows to stewards; to others those of members they were given'' '
    'return ', sees_all, ' or exists (select 1 from `', :catalog, '`.silver.member_access as access '
    'where access.principal = session_user() and access.user_id = member)'
);
execute immediate statement;
