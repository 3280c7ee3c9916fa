-- Masks and filters that follow the tags which dbt sets from the models' YAML (`databricks_tags`):
-- a new column tagged personal_data is masked without a line here. Run by the owner of the
-- catalog after each deployment; every statement may be run again.
--
-- Policies bind everyone but those after `except`. The principal that runs dbt is one of them: it
-- must read what is there, or it would write masked values on. So is that of ingestion, which answers
-- who asks what is held of them.
--
-- Parameters: catalog, stewards (group), analysts (group), ingest and transform (application ids).
-- DDL admits no parameter markers, so each statement is put together first.
declare or replace variable statement string;

-- Which members a person may look at, one row each; `*` are all.
set variable statement = concat(
    'create table if not exists `', :catalog, '`.silver.member_access (',
    'principal string not null comment \'user name of the reader\', ',
    'user_id string not null comment \'member whose rows the reader may see; * for all\') ',
    'comment \'Read by the row filter; kept by the stewards\''
);
execute immediate statement;

set variable statement = concat(
    'grant modify on table `', :catalog, '`.silver.member_access to `', :stewards, '`'
);
execute immediate statement;

-- Erasure takes members out of it.
set variable statement = concat(
    'grant modify on table `', :catalog, '`.silver.member_access to `', :ingest, '`'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.hidden_text(value string) returns string ',
    'comment \'Null, whatever the value\' return cast(null as string)'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.hidden_date(value date) returns date ',
    'comment \'Null, whatever the value\' return cast(null as date)'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.hidden_number(value double) returns double ',
    'comment \'Null, whatever the value\' return cast(null as double)'
);
execute immediate statement;

set variable statement = concat(
    'create or replace function `', :catalog, '`.silver.visible_member(member string) returns boolean ',
    'comment \'Whether the reader was given this member\' ',
    'return exists (select 1 from `', :catalog, '`.silver.member_access as granted ',
    'where granted.principal = session_user() and granted.user_id in (member, \'*\'))'
);
execute immediate statement;

set variable statement = concat(
    'create or replace policy personal_text on catalog `', :catalog, '` ',
    'comment \'Names, addresses and MACs are null to all but stewards\' ',
    'column mask `', :catalog, '`.silver.hidden_text ',
    'to `account users` except `', :stewards, '`, `', :ingest, '`, `', :transform, '` ',
    'for tables match columns hasTagValue(\'personal_data\', \'name\') ',
    'or hasTagValue(\'personal_data\', \'address\') ',
    'or hasTagValue(\'personal_data\', \'mac_address\') as personal ',
    'on column personal'
);
execute immediate statement;

set variable statement = concat(
    'create or replace policy personal_date on catalog `', :catalog, '` ',
    'comment \'Birth dates are null to all but stewards\' ',
    'column mask `', :catalog, '`.silver.hidden_date ',
    'to `account users` except `', :stewards, '`, `', :ingest, '`, `', :transform, '` ',
    'for tables match columns hasTagValue(\'personal_data\', \'birth_date\') as personal ',
    'on column personal'
);
execute immediate statement;

set variable statement = concat(
    'create or replace policy personal_number on catalog `', :catalog, '` ',
    'comment \'Ages by day, and what tells them, are null to all but stewards\' ',
    'column mask `', :catalog, '`.silver.hidden_number ',
    'to `account users` except `', :stewards, '`, `', :ingest, '`, `', :transform, '` ',
    'for tables match columns hasTagValue(\'personal_data\', \'age\') as personal ',
    'on column personal'
);
execute immediate statement;

-- Rows of single members. A view over such a table is filtered as well, for who asks it.
set variable statement = concat(
    'create or replace policy members_by_reader on catalog `', :catalog, '` ',
    'comment \'Analysts see the members they were given\' ',
    'row filter `', :catalog, '`.silver.visible_member ',
    'to `', :analysts, '` except `', :stewards, '`, `', :ingest, '`, `', :transform, '` ',
    'for tables match columns hasTagValue(\'row_filter\', \'member\') as member ',
    'using columns (member)'
);
execute immediate statement;
