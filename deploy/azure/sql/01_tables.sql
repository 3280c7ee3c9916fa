-- The two source tables. Times are UNIX epoch seconds, UTC. Run as a SQL administrator, once.
create table dbo.registered_users (
    user_id varchar(64) not null,
    device_id varchar(64) not null,
    mac_address varchar(17) not null,
    registration_timestamp decimal(17, 6) not null,
    modified_at datetime2(3) not null constraint df_registered_users_modified_at default sysutcdatetime(),
    constraint pk_registered_users primary key (user_id, device_id, mac_address, registration_timestamp)
);

create table dbo.gym_logins (
    mac_address varchar(17) not null,
    gym varchar(64) not null,
    login decimal(17, 6) not null,
    logout decimal(17, 6) null,
    modified_at datetime2(3) not null constraint df_gym_logins_modified_at default sysutcdatetime(),
    constraint pk_gym_logins primary key (mac_address, gym, login),
    constraint ck_gym_logins_order check (logout is null or logout > login)
);
go

-- For people and exports. The copy itself follows change tracking, whose versions are given in
-- commit order: a time stamp would miss a row whose transaction committed late.
create trigger dbo.registered_users_modified on dbo.registered_users after update as
begin
    set nocount on;
    if update(modified_at) return;
    update changed
    set modified_at = sysutcdatetime()
    from dbo.registered_users as changed
    inner join inserted
        on changed.user_id = inserted.user_id
        and changed.device_id = inserted.device_id
        and changed.mac_address = inserted.mac_address
        and changed.registration_timestamp = inserted.registration_timestamp;
end;
go

create trigger dbo.gym_logins_modified on dbo.gym_logins after update as
begin
    set nocount on;
    if update(modified_at) return;
    update changed
    set modified_at = sysutcdatetime()
    from dbo.gym_logins as changed
    inner join inserted
        on changed.mac_address = inserted.mac_address
        and changed.gym = inserted.gym
        and changed.login = inserted.login;
end;
go

create index ix_registered_users_modified_at on dbo.registered_users (modified_at);
create index ix_gym_logins_modified_at on dbo.gym_logins (modified_at);
go
