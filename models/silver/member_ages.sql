{{ config(materialized='view') }}

with versions as (

    {{ profile_versions() }}

),

-- The days whose first instant lies in the version, from the birth on. No event is older than 2000;
-- no end of a version in force is needed, since ages end.
spans as (

    select
        user_id,
        date_of_birth,
        greatest(
            coalesce({{ first_day('in_force_from') }}, date '2000-01-01'), date_of_birth
        ) as from_date,
        least({{ first_day('in_force_to') }}, {{ birthday('date_of_birth', 151) }}) as to_date
    from versions
    where date_of_birth is not null

),

-- One row for each age that the member has during the version.
by_age as (

    select
        spans.*,
        explode(sequence(
            {{ whole_years('spans.date_of_birth', 'spans.from_date') }},
            {{ whole_years('spans.date_of_birth', 'date_sub(spans.to_date, 1)') }}
        )) as age
    from spans
    where spans.from_date < spans.to_date

),

final as (

    select
        user_id,
        age,
        cast({{ max_heart_rate('age') }} as double) as max_heart_rate_bpm,
        greatest(from_date, {{ birthday('date_of_birth', 'age') }}) as from_date,
        least(to_date, {{ birthday('date_of_birth', 'age + 1') }}) as to_date
    from by_age

)

select * from final
