-- Data Factory's managed identity may run the procedures, nothing more.
-- sqlcmd -v factory=<terraform output data_factory>
create user [$(factory)] from external provider;
go

grant execute on schema::etl to [$(factory)];
grant select on schema::dbo to [$(factory)];
grant view change tracking on dbo.registered_users to [$(factory)];
grant view change tracking on dbo.gym_logins to [$(factory)];
go
