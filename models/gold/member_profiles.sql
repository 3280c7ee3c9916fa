{{ config(unique_key=['user_id', 'date']) }}

{% if is_incremental() %}
{% set affected -%}
    select
        user_id,
        `date`
    from {{ changes_of(ref('daily_heart_rates')) }}
    union
    select
        user_id,
        visit_date as `date`
    from {{ changes_of(ref('gym_summary')) }}
    where user_id is not null
    union
    select
        user_id,
        workout_date as `date`
    from {{ changes_of(ref('workout_bpm_summary')) }}
    union
    -- A changed profile opens all days of its user again.
    select
        days.user_id,
        days.`date`
    from {{ this }} as days
    left semi join {{ changes_of(ref('user_profile_history')) }} as profile_changes
        on days.user_id = profile_changes.user_id
{%- endset %}
{% set days = touched_days(affected, '`date`') %}
{% endif %}

with
{{ affected_cte(affected) }}

-- Every day on which a table of gold has a row of the member.
present as (

    select
        user_id,
        `date`
    from {{ ref('daily_heart_rates') }}
    {% if is_incremental() %}
    where {{ on_days(days, '`date`') }}
    {% endif %}
    union
    select
        user_id,
        visit_date as `date`
    from {{ ref('gym_summary') }}
    where
        user_id is not null
        {%- if is_incremental() %}
        and {{ on_days(days, 'visit_date') }}
        {%- endif %}
    union
    select
        user_id,
        workout_date as `date`
    from {{ ref('workout_bpm_summary') }}
    {% if is_incremental() %}
    where {{ on_days(days, 'workout_date') }}
    {% endif %}

),

member_days as (

    select present.*
    from present
    {% if is_incremental() %}
    left semi join affected
        on present.user_id = affected.user_id and present.`date` = affected.`date`
    {% endif %}

),

profiles as (

    {{ profile_versions() }}

),

-- The profile as of the day's first instant. The age ends here: with the day on which it changes it
-- would tell the date of birth.
with_ages as (

    select
        member_days.user_id,
        member_days.`date`,
        profiles.sex,
        profiles.gender,
        profiles.city,
        profiles.state,
        {{ whole_years('profiles.date_of_birth', 'member_days.`date`') }} as age
    from member_days
    left join profiles
        on
            member_days.user_id = profiles.user_id
            and {{ in_interval(
                'cast(member_days.`date` as timestamp)',
                'profiles.in_force_from',
                'profiles.in_force_to'
            ) }}

),

final as (

    select
        with_ages.user_id,
        coalesce(age_bands.age_band, 'invalid age') as age_band,
        with_ages.sex,
        with_ages.gender,
        with_ages.city,
        with_ages.state,
        with_ages.`date`
    from with_ages
    left join {{ ref('age_bands') }} as age_bands
        on {{ joins_age_band('with_ages.age', 'age_bands') }}

)

{{ reads_changes_of([
    ref('daily_heart_rates'), ref('gym_summary'), ref('workout_bpm_summary'), ref('user_profile_history')
]) }}
{{ recomputed(
    'old.user_id = affected.user_id and old.`date` = affected.`date`', days=days, day_of='`date`'
) }}
