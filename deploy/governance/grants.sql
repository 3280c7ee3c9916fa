-- Rights on single tables, after each build: dbt made the tables, its principal owns them.
-- Parameters: catalog, operators (group).
declare or replace variable statement string;

set variable statement = concat(
    'grant select on table `', :catalog, '`.silver.rejected_records to `', :operators, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.silver.records to `', :operators, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.pipeline_health to `', :operators, '`'
);
execute immediate statement;
