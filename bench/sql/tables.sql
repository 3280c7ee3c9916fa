-- The project's main tables as one batch script, computed whole each time: what somebody writes by
-- hand who need not take in corrections, rejects or removals step by step. Runs in Spark and DuckDB
-- alike, behind events_<dialect>.sql. Statements end in a semicolon at the end of a line.

create or replace table batch.device_registrations as
with registrations as (
    select
        'device' as kind,
        device_id as identifier,
        user_id,
        cast(registration_timestamp as bigint) as registered_seconds
    from bronze.registered_users
    union all
    select
        'mac' as kind,
        lower(mac_address) as identifier,
        user_id,
        cast(registration_timestamp as bigint) as registered_seconds
    from bronze.registered_users
),

winners as (
    select
        kind,
        identifier,
        timestamp_micros(registered_seconds * 1000000) as registered_at,
        max(user_id) as user_id
    from registrations
    group by kind, identifier, registered_seconds
),

neighbours as (
    select
        *,
        lag(user_id) over (partition by kind, identifier order by registered_at) as previous_user_id
    from winners
)

select
    kind,
    identifier,
    user_id,
    registered_at,
    case when previous_user_id is not null then registered_at end as owned_from,
    lead(registered_at) over (partition by kind, identifier order by registered_at) as owned_to
from neighbours
where previous_user_id is null or previous_user_id <> user_id;

create or replace table batch.user_profile_history as
with changes as (
    select
        event.user_id,
        event.update_type,
        event.sex,
        event.gender,
        event.first_name,
        event.last_name,
        event.address.street_address as street_address,
        event.address.city as city,
        event.address.state as state,
        event.address.zip as zip_code,
        case
            when event.dob like '%/%'
                then cast(concat_ws(
                    '-', right(event.dob, 4), left(event.dob, 2), substr(event.dob, 4, 2)
                ) as date)
            else cast(event.dob as date)
        end as date_of_birth,
        timestamp_micros(cast(event.timestamp * 1000000 as bigint)) as changed_at,
        kafka_partition,
        kafka_offset
    from user_info_events
    where event.user_id is not null and event.timestamp is not null
),

ranked as (
    select
        *,
        row_number() over (
            partition by user_id, changed_at
            order by
                case when update_type = 'delete' then 0 else 1 end,
                kafka_partition desc,
                kafka_offset desc
        ) as change_rank,
        case
            when update_type <> 'delete'
                then concat_ws(
                    '|',
                    coalesce(sex, '-'),
                    coalesce(gender, '-'),
                    coalesce(first_name, '-'),
                    coalesce(last_name, '-'),
                    coalesce(street_address, '-'),
                    coalesce(city, '-'),
                    coalesce(state, '-'),
                    coalesce(zip_code, '-'),
                    coalesce(cast(date_of_birth as string), '-')
                )
        end as image
    from changes
),

neighbours as (
    select
        *,
        lag(image) over (partition by user_id order by changed_at) as previous_image
    from ranked
    where change_rank = 1
),

versions as (
    select
        *,
        lead(changed_at) over (partition by user_id order by changed_at) as valid_to
    from neighbours
    where image is distinct from previous_image
)

select
    user_id,
    date_of_birth,
    sex,
    gender,
    first_name,
    last_name,
    street_address,
    city,
    state,
    zip_code,
    changed_at as valid_from,
    valid_to,
    valid_to is null as is_current
from versions
where image is not null;

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
    readings.device_id,
    owners.user_id,
    readings.heart_rate_bpm,
    readings.num_values,
    readings.measured_at
from readings
left join batch.device_registrations as owners
    on
        owners.kind = 'device'
        and readings.device_id = owners.identifier
        and (owners.owned_from is null or readings.measured_at >= owners.owned_from)
        and (owners.owned_to is null or readings.measured_at < owners.owned_to);

create or replace table batch.gym_visits as
with visits as (
    select
        lower(mac_address) as mac_address,
        gym as gym_id,
        timestamp_micros(cast(login as bigint) * 1000000) as login_at,
        max(timestamp_micros(cast(nullif(logout, '') as bigint) * 1000000)) as logout_at
    from bronze.gym_logins
    group by 1, 2, 3
)

select
    visits.mac_address,
    visits.gym_id,
    owners.user_id,
    visits.login_at,
    case when visits.logout_at > visits.login_at then visits.logout_at end as logout_at
from visits
left join batch.device_registrations as owners
    on
        owners.kind = 'mac'
        and visits.mac_address = owners.identifier
        and (owners.owned_from is null or visits.login_at >= owners.owned_from)
        and (owners.owned_to is null or visits.login_at < owners.owned_to);

create or replace table batch.workout_sessions as
with events as (
    select distinct
        event.user_id,
        event.workout_id,
        event.session_id,
        event.action,
        timestamp_micros(cast(event.timestamp * 1000000 as bigint)) as occurred_at
    from workout_events
    where event.user_id is not null and event.timestamp is not null
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
        user_id,
        workout_id,
        session_id,
        case when action = 'start' then occurred_at end as started_at,
        case when action = 'stop' then occurred_at when next_action = 'stop' then next_at end as ended_at
    from neighbours
    where action = 'start' or previous_action is null or previous_action <> 'start'
)

select
    user_id,
    workout_id,
    session_id,
    case
        when started_at is null then 'orphan_stop'
        when ended_at is null then 'open'
        when unix_micros(ended_at) - unix_micros(started_at) >= 10800000000 then 'too_long'
        else 'completed'
    end as status,
    started_at is null as is_orphan,
    coalesce(started_at, ended_at) as began_at,
    started_at,
    ended_at
from sessions;

create or replace table batch.workout_heart_rates as
with session_days as (
    select *, cast(started_at as date) as session_date
    from batch.workout_sessions
    where status = 'completed'
    union
    select *, cast(ended_at as date) as session_date
    from batch.workout_sessions
    where status = 'completed'
)

select
    sessions.user_id,
    sessions.workout_id,
    sessions.session_id,
    readings.device_id,
    readings.heart_rate_bpm,
    sessions.started_at,
    sessions.ended_at,
    readings.measured_at
from session_days as sessions
inner join batch.heart_rates as readings
    on
        sessions.user_id = readings.user_id
        and sessions.session_date = cast(readings.measured_at as date)
        and sessions.started_at < readings.measured_at
        and sessions.ended_at >= readings.measured_at;

create or replace table batch.age_bands as
select *
from (values
    ('under 18', 0, 18),
    ('18-25', 18, 25),
    ('25-35', 25, 35),
    ('35-45', 35, 45),
    ('45-55', 45, 55),
    ('55-65', 55, 65),
    ('65-75', 65, 75),
    ('75-85', 75, 85),
    ('85-95', 85, 95),
    ('95+', 95, 1000)
) as bands (age_band, from_age, to_age);

-- The profiles with the reach that gold gives them: the first one of a user from the beginning.
create or replace temporary view profiles as
select
    *,
    case
        when row_number() over (partition by user_id order by valid_from) > 1 then valid_from
    end as in_force_from
from batch.user_profile_history;

create or replace table batch.session_visits as
with logins as (
    select
        user_id,
        login_at,
        lead(login_at) over (partition by user_id order by login_at) as next_login_at
    from (select distinct user_id, login_at from batch.gym_visits where user_id is not null) as distinct_logins
),

candidates as (
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at,
        sessions.user_id,
        sessions.workout_id,
        sessions.session_id,
        sessions.started_at,
        sessions.ended_at,
        row_number() over (
            partition by
                sessions.user_id, sessions.workout_id, sessions.session_id, sessions.started_at
            order by visits.login_at desc, visits.mac_address, visits.gym_id
        ) as candidate_rank
    from batch.workout_sessions as sessions
    inner join batch.gym_visits as visits on sessions.user_id = visits.user_id
    inner join logins on visits.user_id = logins.user_id and visits.login_at = logins.login_at
    where
        sessions.status = 'completed'
        and sessions.started_at >= visits.login_at
        and (
            sessions.started_at <= visits.logout_at
            or visits.logout_at is null
            and sessions.started_at < least(
                coalesce(logins.next_login_at, visits.login_at + interval 24 hours),
                visits.login_at + interval 24 hours
            )
        )
)

select user_id, workout_id, session_id, started_at, ended_at, mac_address, gym_id, login_at
from candidates
where candidate_rank = 1;

create or replace table batch.hourly_heart_rates as
with owned as (
    select
        *,
        date_trunc('hour', measured_at) as hour_at
    from batch.heart_rates
    where user_id is not null
),

instants as (
    select distinct user_id, hour_at, measured_at
    from owned
),

standing as (
    select
        user_id,
        hour_at,
        unix_micros(least(
            coalesce(
                lead(measured_at) over (partition by user_id, hour_at order by measured_at),
                hour_at + interval 1 hour
            ),
            measured_at + interval 60 seconds,
            hour_at + interval 1 hour
        )) - unix_micros(measured_at) as stands_micros
    from instants
),

coverage as (
    select user_id, hour_at, sum(stands_micros) as covered_micros
    from standing
    group by user_id, hour_at
),

summaries as (
    select
        user_id,
        hour_at,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings
    from owned
    group by user_id, hour_at
)

select
    summaries.user_id,
    summaries.min_bpm,
    summaries.avg_bpm,
    summaries.max_bpm,
    summaries.num_readings,
    floor((coverage.covered_micros + 300000) / 600000) / 100 as covered_minutes,
    hour(summaries.hour_at) as local_hour,
    cast(summaries.hour_at as date) as date,
    summaries.hour_at
from summaries
inner join coverage using (user_id, hour_at);

create or replace table batch.daily_heart_rates as
with owned as (
    select
        *,
        cast(measured_at as date) as reading_date
    from batch.heart_rates
    where user_id is not null
),

instants as (
    select
        user_id,
        reading_date,
        measured_at,
        min_by(heart_rate_bpm, device_id) as heart_rate_bpm
    from owned
    group by user_id, reading_date, measured_at
),

standing as (
    select
        *,
        unix_micros(least(
            coalesce(
                lead(measured_at) over (partition by user_id, reading_date order by measured_at),
                cast(reading_date as timestamp) + interval 1 day
            ),
            measured_at + interval 60 seconds,
            cast(reading_date as timestamp) + interval 1 day
        )) - unix_micros(measured_at) as stands_micros
    from instants
),

summaries as (
    select
        user_id,
        reading_date,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_readings
    from owned
    group by user_id, reading_date
),

with_ages as (
    select
        summaries.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        year(summaries.reading_date) - year(profiles.date_of_birth) - case
            when
                month(summaries.reading_date) * 100 + day(summaries.reading_date)
                < month(profiles.date_of_birth) * 100 + day(profiles.date_of_birth)
                then 1
            else 0
        end as age
    from summaries
    left join profiles
        on
            summaries.user_id = profiles.user_id
            and (
                profiles.in_force_from is null
                or cast(summaries.reading_date as timestamp) >= profiles.in_force_from
            )
            and (
                profiles.valid_to is null
                or cast(summaries.reading_date as timestamp) < profiles.valid_to
            )
),

coverage as (
    select user_id, reading_date, sum(stands_micros) as covered_micros
    from standing
    group by user_id, reading_date
),

half_hours as (
    select
        user_id,
        reading_date,
        floor(unix_micros(measured_at) / 1800000000) as half_hour,
        avg(heart_rate_bpm) as avg_bpm
    from owned
    group by user_id, reading_date, floor(unix_micros(measured_at) / 1800000000)
),

covered_half_hours as (
    select
        user_id,
        reading_date,
        floor(unix_micros(measured_at) / 1800000000) as half_hour
    from standing
    group by user_id, reading_date, floor(unix_micros(measured_at) / 1800000000)
    having
        sum(least(stands_micros, 1800000000 - unix_micros(measured_at) % 1800000000)) >= 600000000
),

resting as (
    select
        half_hours.user_id,
        half_hours.reading_date,
        cast(floor(min(half_hours.avg_bpm) * 100 + 0.5) / 100 as decimal(9, 2)) as resting_bpm_estimate
    from half_hours
    inner join covered_half_hours using (user_id, reading_date, half_hour)
    group by half_hours.user_id, half_hours.reading_date
),

bases as (
    select
        with_ages.*,
        coverage.covered_micros,
        coverage.covered_micros >= 14400000000 as is_well_covered,
        resting.resting_bpm_estimate,
        case
            when
                coverage.covered_micros >= 14400000000
                and resting.resting_bpm_estimate <= 100
                and 220 - with_ages.age - resting.resting_bpm_estimate >= 30
                then 'reserve'
            when with_ages.age is not null then 'maximum'
        end as zone_basis
    from with_ages
    inner join coverage using (user_id, reading_date)
    left join resting using (user_id, reading_date)
),

-- A hundred times the lower bounds.
edges as (
    select
        *,
        case zone_basis
            when 'reserve' then 60 * resting_bpm_estimate + 40 * (220 - age)
            when 'maximum' then 50 * (220 - age)
        end as fat_burn_edge,
        case zone_basis
            when 'reserve' then 40 * resting_bpm_estimate + 60 * (220 - age)
            when 'maximum' then 70 * (220 - age)
        end as cardio_edge,
        case zone_basis
            when 'reserve' then 15 * resting_bpm_estimate + 85 * (220 - age)
            when 'maximum' then 85 * (220 - age)
        end as peak_edge
    from bases
),

zoned as (
    select
        standing.user_id,
        standing.reading_date,
        standing.stands_micros,
        case
            when 100 * standing.heart_rate_bpm < edges.fat_burn_edge then 'out_of_range'
            when 100 * standing.heart_rate_bpm < edges.cardio_edge then 'fat_burn'
            when 100 * standing.heart_rate_bpm < edges.peak_edge then 'cardio'
            when 100 * standing.heart_rate_bpm >= edges.peak_edge then 'peak'
        end as zone
    from standing
    inner join edges using (user_id, reading_date)
),

sums as (
    select
        user_id,
        reading_date,
        sum(case when zone = 'out_of_range' then stands_micros else 0 end) as out_of_range_micros,
        sum(case when zone = 'fat_burn' then stands_micros else 0 end) as fat_burn_micros,
        sum(case when zone = 'cardio' then stands_micros else 0 end) as cardio_micros,
        sum(case when zone = 'peak' then stands_micros else 0 end) as peak_micros
    from zoned
    group by user_id, reading_date
)

select
    bases.user_id,
    coalesce(bands.age_band, 'invalid age') as age_band,
    bases.sex,
    bases.gender,
    bases.city,
    bases.state,
    bases.min_bpm,
    bases.avg_bpm,
    bases.max_bpm,
    bases.num_readings,
    cast(bases.resting_bpm_estimate as double) as resting_bpm_estimate,
    floor((bases.covered_micros + 300000) / 600000) / 100 as covered_minutes,
    case when bases.age is not null then floor((sums.out_of_range_micros + 300000) / 600000) / 100 end
        as out_of_range_minutes,
    case when bases.age is not null then floor((sums.fat_burn_micros + 300000) / 600000) / 100 end
        as fat_burn_minutes,
    case when bases.age is not null then floor((sums.cardio_micros + 300000) / 600000) / 100 end
        as cardio_minutes,
    case when bases.age is not null then floor((sums.peak_micros + 300000) / 600000) / 100 end
        as peak_minutes,
    case
        when bases.age is not null
            then floor((sums.fat_burn_micros + 2 * sums.cardio_micros + 2 * sums.peak_micros + 300000) / 600000) / 100
    end as active_zone_minutes,
    bases.zone_basis,
    bases.is_well_covered,
    bases.reading_date as date
from bases
inner join sums using (user_id, reading_date)
left join batch.age_bands as bands on bases.age >= bands.from_age and bases.age < bands.to_age;

create or replace table batch.workout_bpm_summary as
with instants as (
    select
        *,
        row_number() over (
            partition by user_id, workout_id, session_id, started_at, measured_at order by device_id
        ) as device_rank
    from batch.workout_heart_rates
),

standing as (
    select
        *,
        unix_micros(least(
            coalesce(
                lead(measured_at) over (
                    partition by user_id, workout_id, session_id, started_at order by measured_at
                ),
                ended_at
            ),
            measured_at + interval 60 seconds,
            ended_at
        )) - unix_micros(measured_at) as stands_micros
    from instants
    where device_rank = 1
),

summaries as (
    select
        user_id,
        workout_id,
        session_id,
        started_at,
        ended_at,
        min(heart_rate_bpm) as min_bpm,
        avg(heart_rate_bpm) as avg_bpm,
        max(heart_rate_bpm) as max_bpm,
        count(*) as num_recordings,
        max(case when device_rank = 1 then measured_at end) as last_at
    from instants
    group by user_id, workout_id, session_id, started_at, ended_at
),

with_profiles as (
    select
        summaries.*,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        year(summaries.started_at) - year(profiles.date_of_birth) - case
            when
                month(summaries.started_at) * 100 + day(summaries.started_at)
                < month(profiles.date_of_birth) * 100 + day(profiles.date_of_birth)
                then 1
            else 0
        end as age
    from summaries
    left join profiles
        on
            summaries.user_id = profiles.user_id
            and (profiles.in_force_from is null or summaries.started_at >= profiles.in_force_from)
            and (profiles.valid_to is null or summaries.started_at < profiles.valid_to)
),

-- A hundred times the lower bounds, with the resting rate of the start's day.
edges as (
    select
        bases.*,
        case zone_basis
            when 'reserve' then 60 * resting_bpm_estimate + 40 * (220 - age)
            when 'maximum' then 50 * (220 - age)
        end as fat_burn_edge,
        case zone_basis
            when 'reserve' then 40 * resting_bpm_estimate + 60 * (220 - age)
            when 'maximum' then 70 * (220 - age)
        end as cardio_edge,
        case zone_basis
            when 'reserve' then 15 * resting_bpm_estimate + 85 * (220 - age)
            when 'maximum' then 85 * (220 - age)
        end as peak_edge
    from (
        select
            with_profiles.*,
            cast(days.resting_bpm_estimate as decimal(9, 2)) as resting_bpm_estimate,
            case
                when
                    days.is_well_covered
                    and days.resting_bpm_estimate <= 100
                    and 220 - with_profiles.age - cast(days.resting_bpm_estimate as decimal(9, 2)) >= 30
                    then 'reserve'
                when with_profiles.age is not null then 'maximum'
            end as zone_basis
        from with_profiles
        left join batch.daily_heart_rates as days
            on
                with_profiles.user_id = days.user_id
                and cast(with_profiles.started_at as date) = days.date
    ) as bases
),

zoned as (
    select
        standing.user_id,
        standing.workout_id,
        standing.session_id,
        standing.started_at,
        standing.stands_micros,
        case
            when 100 * standing.heart_rate_bpm < edges.fat_burn_edge then 'out_of_range'
            when 100 * standing.heart_rate_bpm < edges.cardio_edge then 'fat_burn'
            when 100 * standing.heart_rate_bpm < edges.peak_edge then 'cardio'
            else 'peak'
        end as zone
    from standing
    inner join edges using (user_id, workout_id, session_id, started_at)
    where edges.age is not null
),

zone_minutes as (
    select
        user_id,
        workout_id,
        session_id,
        started_at,
        floor((sum(case when zone = 'out_of_range' then stands_micros else 0 end) + 300000) / 600000) / 100
            as out_of_range_minutes,
        floor((sum(case when zone = 'fat_burn' then stands_micros else 0 end) + 300000) / 600000) / 100
            as fat_burn_minutes,
        floor((sum(case when zone = 'cardio' then stands_micros else 0 end) + 300000) / 600000) / 100
            as cardio_minutes,
        floor((sum(case when zone = 'peak' then stands_micros else 0 end) + 300000) / 600000) / 100
            as peak_minutes
    from zoned
    group by user_id, workout_id, session_id, started_at
),

last_readings as (
    select user_id, workout_id, session_id, started_at, heart_rate_bpm as last_bpm
    from (
        select
            *,
            row_number() over (
                partition by user_id, workout_id, session_id, started_at
                order by measured_at desc, device_id
            ) as place
        from batch.workout_heart_rates
    ) as placed
    where place = 1
),

recoveries as (
    select user_id, workout_id, session_id, started_at, recovered_bpm
    from (
        select
            summaries.user_id,
            summaries.workout_id,
            summaries.session_id,
            summaries.started_at,
            later.heart_rate_bpm as recovered_bpm,
            row_number() over (
                partition by
                    summaries.user_id, summaries.workout_id, summaries.session_id, summaries.started_at
                order by
                    abs(unix_micros(later.measured_at) - unix_micros(summaries.ended_at) - 60000000),
                    later.measured_at,
                    later.device_id
            ) as place
        from summaries
        inner join batch.heart_rates as later
            on
                summaries.user_id = later.user_id
                and cast(summaries.ended_at + interval 50 seconds as date) <= cast(later.measured_at as date)
                and later.measured_at >= summaries.ended_at + interval 50 seconds
                and later.measured_at <= summaries.ended_at + interval 70 seconds
    ) as placed
    where place = 1
)

select
    edges.user_id,
    edges.workout_id,
    edges.session_id,
    visits.gym_id,
    coalesce(age_bands.age_band, 'invalid age') as age_band,
    edges.sex,
    edges.gender,
    edges.city,
    edges.state,
    edges.age,
    edges.min_bpm,
    edges.avg_bpm,
    edges.max_bpm,
    edges.num_recordings,
    edges.zone_basis,
    cast(edges.fat_burn_edge / 100 as double) as fat_burn_from_bpm,
    cast(edges.cardio_edge / 100 as double) as cardio_from_bpm,
    cast(edges.peak_edge / 100 as double) as peak_from_bpm,
    zone_minutes.out_of_range_minutes,
    zone_minutes.fat_burn_minutes,
    zone_minutes.cardio_minutes,
    zone_minutes.peak_minutes,
    last_readings.last_bpm - recoveries.recovered_bpm as heart_rate_recovery_bpm,
    cast(edges.started_at as date) as workout_date,
    edges.started_at,
    edges.ended_at
from edges
left join zone_minutes using (user_id, workout_id, session_id, started_at)
left join batch.session_visits as visits using (user_id, workout_id, session_id, started_at)
left join last_readings using (user_id, workout_id, session_id, started_at)
left join recoveries using (user_id, workout_id, session_id, started_at)
left join batch.age_bands as age_bands
    on edges.age >= age_bands.from_age and edges.age < age_bands.to_age;

create or replace table batch.gym_summary as
with additions as (
    select
        *,
        greatest(
            0,
            unix_micros(ended_at) - unix_micros(greatest(
                started_at,
                coalesce(
                    max(ended_at) over (
                        partition by mac_address, gym_id, login_at
                        order by started_at, ended_at, workout_id, session_id
                        rows between unbounded preceding and 1 preceding
                    ),
                    started_at
                )
            ))
        ) as added_micros
    from batch.session_visits
),

exercise as (
    select
        mac_address,
        gym_id,
        login_at,
        array_sort(collect_list(
            named_struct('workout_id', workout_id, 'session_id', session_id)
        )) as sessions,
        sum(added_micros) as exercise_micros
    from additions
    group by mac_address, gym_id, login_at
),

members as (
    select
        visits.mac_address,
        visits.gym_id,
        visits.login_at,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        year(visits.login_at) - year(profiles.date_of_birth) - case
            when
                month(visits.login_at) * 100 + day(visits.login_at)
                < month(profiles.date_of_birth) * 100 + day(profiles.date_of_birth)
                then 1
            else 0
        end as age
    from batch.gym_visits as visits
    inner join profiles
        on
            visits.user_id = profiles.user_id
            and (profiles.in_force_from is null or visits.login_at >= profiles.in_force_from)
            and (profiles.valid_to is null or visits.login_at < profiles.valid_to)
)

select
    visits.gym_id,
    visits.mac_address,
    visits.user_id,
    coalesce(bands.age_band, 'invalid age') as age_band,
    members.sex,
    members.gender,
    members.city,
    members.state,
    exercise.sessions,
    floor((unix_micros(visits.logout_at) - unix_micros(visits.login_at) + 300000) / 600000) / 100
        as minutes_in_gym,
    floor((coalesce(exercise.exercise_micros, 0) + 300000) / 600000) / 100 as minutes_exercising,
    hour(visits.login_at) as local_hour,
    cast(visits.login_at as date) as visit_date,
    visits.login_at,
    visits.logout_at
from batch.gym_visits as visits
left join exercise using (mac_address, gym_id, login_at)
left join members using (mac_address, gym_id, login_at)
left join batch.age_bands as bands on members.age >= bands.from_age and members.age < bands.to_age;
