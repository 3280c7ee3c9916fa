{{ config(materialized='view') }}

with versions as (

    {{ profile_versions() }}

),

as_of as (

    select coalesce(max(as_of_date), date '2000-01-01') as as_of_date
    from {{ ref('as_of_dates') }}

),

-- The days whose first instant lies in the version.
spans as (

    select
        versions.user_id,
        versions.date_of_birth,
        versions.sex,
        versions.gender,
        versions.city,
        versions.state,
        coalesce({{ first_day('versions.in_force_from') }}, date '2000-01-01') as from_date,
        coalesce({{ first_day('versions.in_force_to') }}, date_add(as_of.as_of_date, 366))
            as to_date
    from versions
    cross join as_of

),

known_births as (

    select
        spans.*,
        explode(sequence(
            {{ whole_years('spans.date_of_birth', 'spans.from_date') }},
            {{ whole_years('spans.date_of_birth', 'date_sub(spans.to_date, 1)') }}
        )) as age
    from spans
    where spans.date_of_birth is not null and spans.from_date < spans.to_date

),

-- One row for each age that the member has during the version.
aged as (

    select
        user_id,
        sex,
        gender,
        city,
        state,
        age,
        greatest(from_date, {{ birthday('date_of_birth', 'age') }}) as from_date,
        least(to_date, {{ birthday('date_of_birth', 'age + 1') }}) as to_date
    from known_births
    union all
    select
        user_id,
        sex,
        gender,
        city,
        state,
        cast(null as int) as age,
        from_date,
        to_date
    from spans
    where date_of_birth is null and from_date < to_date

),

final as (

    select
        aged.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        aged.sex,
        aged.gender,
        aged.city,
        aged.state,
        aged.age,
        cast({{ max_heart_rate('aged.age') }} as double) as max_heart_rate_bpm,
        aged.from_date,
        aged.to_date
    from aged
    left join {{ ref('age_bands') }} as age_bands on {{ joins_age_band('aged.age', 'age_bands') }}

)

select * from final
