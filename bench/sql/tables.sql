-- The project's main tables as one batch script, computed whole each time: what somebody writes by
-- hand who need not take in corrections, rejects or removals step by step, with the facts that are
-- compared and no column else. Dates and hours are UTC, zones in percent of HRmax (`zones: maximum`).
-- Runs in Spark and DuckDB alike, behind events_<dialect>.sql; a statement ends in ; at a line's end.

create or replace table batch.device_registrations as
with registrations as (
    select 'device' as kind, device_id as identifier, user_id, registration_timestamp
    from bronze.registered_users
    union all
    select 'mac' as kind, lower(mac_address) as identifier, user_id, registration_timestamp
    from bronze.registered_users
),
winners as (
    select
        kind, identifier,
        timestamp_micros(cast(registration_timestamp as bigint) * 1000000) as registered_at,
        max(user_id) as user_id
    from registrations group by kind, identifier, registration_timestamp
),
neighbours as (
    select *, lag(user_id) over (partition by kind, identifier order by registered_at) as previous_user_id
    from winners
)
select
    kind, identifier, user_id, registered_at,
    case when previous_user_id is not null then registered_at end as owned_from,
    lead(registered_at) over (partition by kind, identifier order by registered_at) as owned_to
from neighbours where previous_user_id is null or previous_user_id <> user_id;

create or replace temporary view owners as
select
    kind, identifier, user_id,
    coalesce(owned_from, timestamp '0001-01-01 00:00:00') as owned_from,
    coalesce(owned_to, timestamp '9999-01-01 00:00:00') as owned_to
from batch.device_registrations;

create or replace table batch.user_profile_history as
with changes as (
    select
        event.user_id, event.update_type, event.sex, event.gender, event.first_name, event.last_name,
        event.address.street_address as street_address, event.address.city as city,
        event.address.state as state, event.address.zip as zip_code,
        cast(case
            when event.dob like '%/%'
                then concat_ws('-', right(event.dob, 4), left(event.dob, 2), substr(event.dob, 4, 2))
            else event.dob
        end as date) as date_of_birth,
        timestamp_micros(cast(event.timestamp * 1000000 as bigint)) as changed_at,
        kafka_partition, kafka_offset
    from user_info_events
    where event.user_id is not null and event.timestamp is not null
),
ranked as (
    select
        *,
        row_number() over (
            partition by user_id, changed_at
            order by
                case when update_type = 'delete' then 0 else 1 end, kafka_partition desc, kafka_offset desc
        ) as change_rank,
        case when update_type <> 'delete' then concat_ws(
            '|', coalesce(sex, '-'), coalesce(gender, '-'), coalesce(first_name, '-'),
            coalesce(last_name, '-'), coalesce(street_address, '-'), coalesce(city, '-'),
            coalesce(state, '-'), coalesce(zip_code, '-'), coalesce(cast(date_of_birth as string), '-')
        ) end as image
    from changes
),
neighbours as (
    select *, lag(image) over (partition by user_id order by changed_at) as previous_image
    from ranked where change_rank = 1
),
versions as (
    select *, lead(changed_at) over (partition by user_id order by changed_at) as valid_to
    from neighbours where image is distinct from previous_image
)
select
    user_id, date_of_birth, sex, gender, first_name, last_name, street_address, city, state, zip_code,
    changed_at as valid_from, valid_to, valid_to is null as is_current
from versions where image is not null;

-- With the reach that gold gives them: the first one of a user from the beginning.
create or replace temporary view profiles as
select
    *,
    case
        when row_number() over (partition by user_id order by valid_from) > 1 then valid_from
        else timestamp '0001-01-01 00:00:00'
    end as in_force_from,
    coalesce(valid_to, timestamp '9999-01-01 00:00:00') as in_force_to
from batch.user_profile_history;

create or replace table batch.heart_rates as
with readings as (
    select
        event.device_id,
        timestamp_micros(cast(event.time * 1000000 as bigint)) as measured_at,
        min(event.heartrate) as heart_rate_bpm,
        count(distinct event.heartrate) as num_values
    from bpm_events
    where event.device_id is not null and event.time is not null and event.heartrate between 30 and 220
    group by 1, 2
)
select
    readings.device_id, owners.user_id, readings.heart_rate_bpm, readings.num_values,
    readings.measured_at
from readings
left join owners
    on owners.kind = 'device' and readings.device_id = owners.identifier
        and readings.measured_at >= owners.owned_from and readings.measured_at < owners.owned_to;

create or replace table batch.gym_visits as
with visits as (
    select
        lower(mac_address) as mac_address, gym as gym_id,
        timestamp_micros(cast(login as bigint) * 1000000) as login_at,
        max(timestamp_micros(cast(nullif(logout, '') as bigint) * 1000000)) as logout_at
    from bronze.gym_logins group by 1, 2, 3
)
select
    visits.mac_address, visits.gym_id, owners.user_id, visits.login_at,
    case when visits.logout_at > visits.login_at then visits.logout_at end as logout_at
from visits
left join owners
    on owners.kind = 'mac' and visits.mac_address = owners.identifier
        and visits.login_at >= owners.owned_from and visits.login_at < owners.owned_to;

create or replace table batch.workout_sessions as
with events as (
    select distinct
        event.user_id, event.workout_id, event.session_id, event.action,
        timestamp_micros(cast(event.timestamp * 1000000 as bigint)) as occurred_at
    from workout_events where event.user_id is not null and event.timestamp is not null
),
neighbours as (
    select
        *,
        lag(action) over session_events as previous_action,
        lead(action) over session_events as next_action,
        lead(occurred_at) over session_events as next_at
    from events
    window session_events as (
        partition by user_id, workout_id, session_id
        order by occurred_at, case when action = 'stop' then 0 else 1 end
    )
),
sessions as (
    select
        user_id, workout_id, session_id,
        case when action = 'start' then occurred_at end as started_at,
        case when action = 'stop' then occurred_at when next_action = 'stop' then next_at end as ended_at
    from neighbours
    where action = 'start' or previous_action is null or previous_action <> 'start'
)
select
    user_id, workout_id, session_id,
    case
        when started_at is null then 'orphan_stop'
        when ended_at is null then 'open'
        when unix_micros(ended_at) - unix_micros(started_at) >= 10800000000 then 'too_long'
        else 'completed'
    end as status,
    started_at is null as is_orphan,
    coalesce(started_at, ended_at) as began_at,
    started_at, ended_at
from sessions;

create or replace table batch.workout_heart_rates as
with session_days as (
    select *, cast(started_at as date) as session_date
    from batch.workout_sessions where status = 'completed'
    union
    select *, cast(ended_at as date) as session_date
    from batch.workout_sessions where status = 'completed'
)
select
    sessions.user_id, sessions.workout_id, sessions.session_id, readings.device_id,
    readings.heart_rate_bpm, sessions.started_at, sessions.ended_at, readings.measured_at
from session_days as sessions
inner join batch.heart_rates as readings
    on sessions.user_id = readings.user_id
        and sessions.session_date = cast(readings.measured_at as date)
        and sessions.started_at < readings.measured_at and sessions.ended_at >= readings.measured_at;

create or replace table batch.age_bands as
select *
from (values
    ('under 18', 0, 18), ('18-25', 18, 25), ('25-35', 25, 35), ('35-45', 35, 45), ('45-55', 45, 55),
    ('55-65', 55, 65), ('65-75', 65, 75), ('75-85', 75, 85), ('85-95', 85, 95), ('95+', 95, 1000)
) as bands (age_band, from_age, to_age);

create or replace table batch.workout_bpm_summary as
with instants as (
    select
        *,
        row_number() over (
            partition by user_id, workout_id, session_id, started_at order by measured_at desc, device_id
        ) as place_from_end,
        unix_micros(least(
            lead(measured_at) over (
                partition by user_id, workout_id, session_id, started_at
                order by measured_at, device_id desc
            ),
            measured_at + interval 60 seconds,
            ended_at
        )) - unix_micros(measured_at) as stands_micros
    from batch.workout_heart_rates
),
summaries as (
    select
        user_id, workout_id, session_id, started_at, ended_at, min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm, max(heart_rate_bpm) as max_bpm, count(*) as num_recordings,
        max(case when place_from_end = 1 then heart_rate_bpm end) as last_bpm
    from instants group by user_id, workout_id, session_id, started_at, ended_at
),
with_profiles as (
    select
        summaries.*, profiles.sex, profiles.gender, profiles.city, profiles.state,
        age_on(profiles.date_of_birth, cast(summaries.started_at as date)) as age
    from summaries
    left join profiles
        on summaries.user_id = profiles.user_id and summaries.started_at >= profiles.in_force_from
            and summaries.started_at < profiles.in_force_to
),
zone_sums as (
    select
        user_id, workout_id, session_id, started_at,
        sum(case when zone = 0 then stands_micros else 0 end) as out_of_range_micros,
        sum(case when zone = 1 then stands_micros else 0 end) as fat_burn_micros,
        sum(case when zone = 2 then stands_micros else 0 end) as cardio_micros,
        sum(case when zone = 3 then stands_micros else 0 end) as peak_micros
    from (
        select instants.*, zone_of(instants.heart_rate_bpm, with_profiles.age) as zone
        from instants
        inner join with_profiles using (user_id, workout_id, session_id, started_at)
        where with_profiles.age is not null
    ) as zoned
    group by user_id, workout_id, session_id, started_at
),
recoveries as (
    select
        summaries.user_id, summaries.workout_id, summaries.session_id, summaries.started_at,
        later.heart_rate_bpm as recovered_bpm,
        row_number() over (
            partition by summaries.user_id, summaries.workout_id, summaries.session_id, summaries.started_at
            order by
                abs(unix_micros(later.measured_at) - unix_micros(summaries.ended_at) - 60000000),
                later.measured_at, later.device_id
        ) as place
    from summaries
    inner join batch.heart_rates as later
        on summaries.user_id = later.user_id
            and cast(summaries.ended_at + interval 50 seconds as date) <= cast(later.measured_at as date)
            and later.measured_at >= summaries.ended_at + interval 50 seconds
            and later.measured_at <= summaries.ended_at + interval 70 seconds
)
select
    with_profiles.user_id, with_profiles.workout_id, with_profiles.session_id,
    coalesce(bands.age_band, 'invalid age') as age_band,
    with_profiles.sex, with_profiles.gender, with_profiles.city, with_profiles.state, with_profiles.age,
    with_profiles.min_bpm, with_profiles.avg_bpm, with_profiles.max_bpm, with_profiles.num_recordings,
    minutes(zone_sums.out_of_range_micros) as out_of_range_minutes,
    minutes(zone_sums.fat_burn_micros) as fat_burn_minutes,
    minutes(zone_sums.cardio_micros) as cardio_minutes, minutes(zone_sums.peak_micros) as peak_minutes,
    with_profiles.last_bpm - recoveries.recovered_bpm as heart_rate_recovery_bpm,
    with_profiles.started_at, with_profiles.ended_at
from with_profiles
left join zone_sums using (user_id, workout_id, session_id, started_at)
left join (select * from recoveries where place = 1) as recoveries
    using (user_id, workout_id, session_id, started_at)
left join batch.age_bands as bands
    on with_profiles.age >= bands.from_age and with_profiles.age < bands.to_age;

create or replace table batch.gym_summary as
with reaches as (
    select
        *,
        least(
            min(login_at) over (
                partition by user_id order by login_at
                range between interval 1 microsecond following and unbounded following
            ),
            login_at + interval 24 hours
        ) as open_until
    from batch.gym_visits where user_id is not null
),
candidates as (
    select
        visits.mac_address, visits.gym_id, visits.login_at, sessions.workout_id, sessions.session_id,
        sessions.started_at, sessions.ended_at,
        row_number() over (
            partition by sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
            order by visits.login_at desc, visits.mac_address, visits.gym_id
        ) as candidate_rank
    from batch.workout_sessions as sessions
    inner join reaches as visits
        on sessions.user_id = visits.user_id and sessions.started_at >= visits.login_at
            and (
                sessions.started_at <= visits.logout_at
                or visits.logout_at is null and sessions.started_at < visits.open_until
            )
    where sessions.status = 'completed'
),
additions as (
    select
        *,
        greatest(0, unix_micros(ended_at) - unix_micros(greatest(
            started_at,
            coalesce(
                max(ended_at) over (
                    partition by mac_address, gym_id, login_at
                    order by started_at, ended_at, workout_id, session_id
                    rows between unbounded preceding and 1 preceding
                ),
                started_at
            )
        ))) as added_micros
    from candidates where candidate_rank = 1
),
exercise as (
    select
        mac_address, gym_id, login_at,
        array_sort(collect_list(named_struct('workout_id', workout_id, 'session_id', session_id))) as sessions,
        sum(added_micros) as exercise_micros
    from additions group by mac_address, gym_id, login_at
),
with_profiles as (
    select
        visits.*, profiles.sex, profiles.gender, profiles.city, profiles.state,
        age_on(profiles.date_of_birth, cast(visits.login_at as date)) as age
    from batch.gym_visits as visits
    left join profiles
        on visits.user_id = profiles.user_id and visits.login_at >= profiles.in_force_from
            and visits.login_at < profiles.in_force_to
)
select
    visits.gym_id, visits.mac_address, visits.user_id,
    coalesce(bands.age_band, 'invalid age') as age_band,
    visits.sex, visits.gender, visits.city, visits.state, exercise.sessions,
    minutes(unix_micros(visits.logout_at) - unix_micros(visits.login_at)) as minutes_in_gym,
    minutes(coalesce(exercise.exercise_micros, 0)) as minutes_exercising,
    visits.login_at, visits.logout_at
from with_profiles as visits
left join exercise using (mac_address, gym_id, login_at)
left join batch.age_bands as bands on visits.age >= bands.from_age and visits.age < bands.to_age;

-- Owned readings, and how long each stands in its hour and in its day: until the next one, 60 s at
-- most; at one instant that of the least device id stands.
create or replace temporary view standing as
select
    *,
    unix_micros(least(
        lead(measured_at) over (partition by user_id, hour_at order by measured_at, device_id desc),
        measured_at + interval 60 seconds,
        hour_at + interval 1 hour
    )) - unix_micros(measured_at) as micros_in_hour,
    unix_micros(least(
        lead(measured_at) over (partition by user_id, day_at order by measured_at, device_id desc),
        measured_at + interval 60 seconds,
        day_at + interval 1 day
    )) - unix_micros(measured_at) as micros_in_day
from (
    select *, date_trunc('hour', measured_at) as hour_at, date_trunc('day', measured_at) as day_at
    from batch.heart_rates where user_id is not null
) as owned;

create or replace table batch.hourly_heart_rates as
select
    user_id, min_bpm, avg_bpm, max_bpm, num_readings, minutes(covered_micros) as covered_minutes,
    hour_at
from (
    select
        user_id, hour_at, min(heart_rate_bpm) as min_bpm, avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm, count(*) as num_readings, sum(micros_in_hour) as covered_micros
    from standing group by user_id, hour_at
) as hours;

create or replace table batch.daily_heart_rates as
with days as (
    select
        summaries.*,
        cast(summaries.day_at as date) as date,
        profiles.sex, profiles.gender, profiles.city, profiles.state,
        age_on(profiles.date_of_birth, cast(summaries.day_at as date)) as age
    from (
        select
            user_id, day_at, min(heart_rate_bpm) as min_bpm, avg(heart_rate_bpm) as avg_bpm,
            max(heart_rate_bpm) as max_bpm, count(*) as num_readings
        from standing group by user_id, day_at
    ) as summaries
    left join profiles
        on summaries.user_id = profiles.user_id and summaries.day_at >= profiles.in_force_from
            and summaries.day_at < profiles.in_force_to
),
sums as (
    select
        user_id, day_at, sum(micros_in_day) as covered_micros,
        sum(case when zone = 0 then micros_in_day end) as out_of_range_micros,
        sum(case when zone = 1 then micros_in_day end) as fat_burn_micros,
        sum(case when zone = 2 then micros_in_day end) as cardio_micros,
        sum(case when zone = 3 then micros_in_day end) as peak_micros
    from (
        select standing.*, zone_of(standing.heart_rate_bpm, days.age) as zone
        from standing
        inner join days using (user_id, day_at)
    ) as zoned
    group by user_id, day_at
),
resting as (
    -- Rounded half up before the division: DuckDB's round(75.975, 2) is 75.97.
    select
        user_id, day_at,
        min(floor((200 * total_bpm + num_readings) / (2 * num_readings))) / 100 as resting_bpm_estimate
    from (
        select user_id, day_at, sum(heart_rate_bpm) as total_bpm, count(*) as num_readings
        from standing
        group by user_id, day_at, floor(unix_micros(measured_at) / 1800000000)
        having
            sum(least(micros_in_day, 1800000000 - unix_micros(measured_at) % 1800000000)) >= 600000000
    ) as half_hours
    group by user_id, day_at
)
select
    days.user_id,
    coalesce(bands.age_band, 'invalid age') as age_band,
    days.sex, days.gender, days.city, days.state, days.min_bpm, days.avg_bpm, days.max_bpm,
    days.num_readings, resting.resting_bpm_estimate, minutes(sums.covered_micros) as covered_minutes,
    case when days.age is not null then minutes(coalesce(sums.out_of_range_micros, 0)) end as out_of_range_minutes,
    case when days.age is not null then minutes(coalesce(sums.fat_burn_micros, 0)) end as fat_burn_minutes,
    case when days.age is not null then minutes(coalesce(sums.cardio_micros, 0)) end as cardio_minutes,
    case when days.age is not null then minutes(coalesce(sums.peak_micros, 0)) end as peak_minutes,
    case when days.age is not null then minutes(
        coalesce(sums.fat_burn_micros, 0) + 2 * coalesce(sums.cardio_micros, 0) + 2 * coalesce(sums.peak_micros, 0)
    ) end as active_zone_minutes,
    days.date
from days
inner join sums using (user_id, day_at)
left join resting using (user_id, day_at)
left join batch.age_bands as bands on days.age >= bands.from_age and days.age < bands.to_age;
