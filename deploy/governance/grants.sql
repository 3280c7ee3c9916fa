-- Rights on single tables, after each build: dbt made the tables, its principal owns them.
-- Parameters: catalog, operators (group), gym_managers (group).
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

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.unowned_activity to `', :operators, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.gyms to `', :gym_managers, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.gym_hours to `', :gym_managers, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.gym_days to `', :gym_managers, '`'
);
execute immediate statement;

set variable statement = concat(
    'grant select on table `', :catalog, '`.gold.member_cohorts to `', :gym_managers, '`'
);
execute immediate statement;
