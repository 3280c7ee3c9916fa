{{ config(materialized='table') }}

with profiles as (

    {{ profile_versions() }}

),

as_of as (

    select as_of_date
    from {{ ref('as_of_dates') }}

),

aged as (

    select
        profiles.user_id,
        profiles.gender,
        profiles.city,
        profiles.state,
        as_of.as_of_date,
        {{ whole_years('profiles.date_of_birth', 'as_of.as_of_date') }} as age
    from profiles
    cross join as_of
    -- Like any day, as_of_date uses the profile as of its first instant.
    where
        {{ in_interval(
            'cast(as_of.as_of_date as timestamp)', 'profiles.in_force_from', 'profiles.in_force_to'
        ) }}

),

final as (

    select
        aged.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        aged.gender,
        aged.city,
        aged.state,
        aged.as_of_date
    from aged
    left join {{ ref('age_bands') }} as age_bands on {{ joins_age_band('aged.age', 'age_bands') }}

)

select * from final
