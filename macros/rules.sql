{# The rules that several models share. #}


{#  Whole years from a birth date to a date; who is born on 29 February has the birthday on 1 March
    in other years. Null before the birth. #}
{% macro whole_years(birth_date, on_date) -%}
    case
        when {{ on_date }} >= {{ birth_date }}
            then year({{ on_date }}) - year({{ birth_date }})
                - if(
                    month({{ on_date }}) * 100 + day({{ on_date }})
                    < month({{ birth_date }}) * 100 + day({{ birth_date }}),
                    1,
                    0
                )
    end
{%- endmacro %}


{#  The age band of an age (see the seed age_bands); unknown age: invalid age. `bands` is the alias
    of the left-joined seed. #}
{% macro joins_age_band(age, bands) -%}
    {{ age }} >= {{ bands }}.from_age and ({{ bands }}.to_age is null or {{ age }} < {{ bands }}.to_age)
{%- endmacro %}


{#  HRmax in beats a minute, as a decimal, by the formula of var hr_max_formula: fox = 220 - age,
    tanaka = 208 - 0.7 age. #}
{% macro max_heart_rate(age) -%}
    {%- set formula = var('hr_max_formula') -%}
    {%- if formula == 'fox' -%} cast(220 - {{ age }} as decimal(9, 1))
    {%- elif formula == 'tanaka' -%} cast(208 - 0.7 * {{ age }} as decimal(9, 1))
    {%- else -%}
        {% do exceptions.raise_compiler_error(
            'var hr_max_formula is ' ~ formula ~ ': it must be fox or tanaka'
        ) %}
    {%- endif -%}
{%- endmacro %}


{#  Microseconds as minutes, rounded half up to 2 decimals; exact, since two decimals of a minute
    are 600,000 µs. #}
{% macro minutes(microseconds) -%}
    cast(round(cast({{ microseconds }} as decimal(20, 0)) / 60000000, 2) as double)
{%- endmacro %}


{# The microseconds from one timestamp to another. #}
{% macro microseconds_between(from_timestamp, to_timestamp) -%}
    (unix_micros({{ to_timestamp }}) - unix_micros({{ from_timestamp }}))
{%- endmacro %}


{# A reading stands at most this long. #}
{% macro reading_stands_micros() -%} 60000000 {%- endmacro %}


{#  The profile versions with the reach that gold gives them: from valid_from up to valid_to, the
    first one of a user from the beginning of time. A user deleted by then has none. #}
{% macro profile_versions() -%}
    select
        user_id,
        date_of_birth,
        sex,
        gender,
        city,
        state,
        if(row_number() over (partition by user_id order by valid_from) = 1, null, valid_from) as in_force_from,
        valid_to as in_force_to
    from {{ ref('user_profile_history') }}
{%- endmacro %}


{# Whether an instant lies in [from, to); null ends are unbounded. #}
{% macro in_interval(instant, from_timestamp, to_timestamp) -%}
    (({{ from_timestamp }} is null or {{ instant }} >= {{ from_timestamp }})
        and ({{ to_timestamp }} is null or {{ instant }} < {{ to_timestamp }}))
{%- endmacro %}


{#  CTE `standing`: the readings of a CTE with stands_micros, for how long each counts for minutes.

    A reading stands until the same user's next one on any device, 60 s at most, cut at the end of
    what is summed; at one instant with several devices the least device id counts, the others 0.

    readings: CTE with device_id and measured_at; per: what is summed (session, hour, day); ends_at:
    the column or expression of its end. #}
{% macro standing_readings(readings, per, ends_at) -%}
standing as (

    select
        *,
        {{ microseconds_between('measured_at', 'least(
            coalesce(
                lead(measured_at) over (
                    partition by ' ~ per | join(', ') ~ ' order by measured_at, device_id desc
                ),
                ' ~ ends_at ~ '
            ),
            measured_at + interval 60 seconds,
            ' ~ ends_at ~ '
        )') }} as stands_micros
    from {{ readings }}

)
{%- endmacro %}


{# The zone of a heart rate by % of HRmax, compared as decimals; unknown age: no zone. #}
{% macro joins_zone(heart_rate_bpm, age, zones) -%}
    100 * cast({{ heart_rate_bpm }} as decimal(9, 4)) >= {{ zones }}.from_percent * {{ max_heart_rate(age) }}
    and (
        {{ zones }}.to_percent is null
        or 100 * cast({{ heart_rate_bpm }} as decimal(9, 4)) < {{ zones }}.to_percent * {{ max_heart_rate(age) }}
    )
{%- endmacro %}


{#  <zone>_micros for each zone, and active_zone_micros; for a query that joins the seed
    heart_rate_zones as `zones`. #}
{% macro sums_by_zone(microseconds) -%}
    {%- for zone in zone_names() %}
        sum(if(zones.zone = '{{ zone }}', {{ microseconds }}, 0)) as {{ zone }}_micros,
    {%- endfor %}
        sum({{ microseconds }} * zones.active_zone_minutes_per_minute) as active_zone_micros
{%- endmacro %}


{# The sums of several such rows. #}
{% macro sums_of_zone_sums() -%}
    {%- for zone in zone_names() + ['active_zone'] %}
        sum({{ zone }}_micros) as {{ zone }}_micros{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{# <zone>_minutes for each zone, null if the age is not known. #}
{% macro zone_minute_columns(sums, age) -%}
    {%- for zone in zone_names() %}
        if({{ age }} is null, null, {{ minutes('coalesce(' ~ sums ~ '.' ~ zone ~ '_micros, 0)') }}) as {{ zone }}_minutes
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{# One row for each UTC hour that [from, to] touches. #}
{% macro hours_between(from_timestamp, to_timestamp) -%}
    explode(sequence(
        date_trunc('hour', {{ from_timestamp }}), date_trunc('hour', {{ to_timestamp }}), interval 1 hour
    ))
{%- endmacro %}


{# Whether a date is one of the last n days before as_of_date, that day included. #}
{% macro in_last_days(date, days) -%}
    ({{ date }} > date_sub(as_of.as_of_date, {{ days }}) and {{ date }} <= as_of.as_of_date)
{%- endmacro %}


{#  Microseconds that a session adds to the union of those that count: what reaches past all that
    started before it. For the sessions of member_activity, over the window `earlier`. #}
{% macro added_micros(is_counted) -%}
    case
        when {{ is_counted }} then greatest(
            0,
            {{ microseconds_between(
                'greatest(started_at, coalesce(max(case when ' ~ is_counted
                ~ ' then ended_at end) over earlier, started_at))',
                'ended_at'
            ) }}
        )
    end
{%- endmacro %}


{#  CTEs ending in `intervals`: who owned an identifier when, as [owned_from, owned_to), from its
    registrations.

    registrations: CTE with one row for a kind, identifier and registered_at; identifier, owner: its
    columns. #}
{% macro ownership_intervals(registrations, identifier, owner) -%}
neighbours as (

    select
        *,
        lag({{ owner }}) over (
            partition by kind, {{ identifier }} order by registered_at
        ) as previous_owner
    from {{ registrations }}

),

-- Consecutive registrations by one user are one interval.
hand_ons as (

    select *
    from neighbours
    where previous_owner is null or previous_owner <> {{ owner }}

),

intervals as (

    select
        * except (previous_owner, registered_at),
        -- Readings may precede the first registration: it reaches back without end.
        if(previous_owner is null, null, registered_at) as owned_from,
        lead(registered_at) over (
            partition by kind, {{ identifier }} order by registered_at
        ) as owned_to
    from hand_ons

)
{%- endmacro %}
