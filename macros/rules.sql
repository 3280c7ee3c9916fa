{# Expressions of rules that several models share. Arguments are columns or expressions. #}


{#  Whole years from a birth date to a date; who is born on 29 February has the birthday on 1 March
    in other years. Null before the birth. #}
{% macro whole_years(birth_date, on_date) -%}
    case
        when cast({{ on_date }} as date) >= {{ birth_date }}
            then year({{ on_date }}) - year({{ birth_date }})
                - if(
                    month({{ on_date }}) * 100 + day({{ on_date }})
                    < month({{ birth_date }}) * 100 + day({{ birth_date }}),
                    1,
                    0
                )
    end
{%- endmacro %}


{# Whether an age lies in a row of the seed age_bands. #}
{% macro is_in_age_band(age, bands) -%}
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


{#  What zones are shares of: `reserve`, the heart rates between rest and HRmax (Karvonen), where the
    day has a resting rate to go by, else `maximum`, HRmax; null without an age. For a query with the
    columns age, and of the day resting_bpm_estimate and is_well_covered. #}
{% macro zone_basis() -%}
    {%- set zones = var('zones') -%}
    {%- if zones not in ['reserve', 'maximum'] -%}
        {% do exceptions.raise_compiler_error(
            'var zones is ' ~ zones ~ ': it must be reserve or maximum'
        ) %}
    {%- endif -%}
    case
        {%- if zones == 'reserve' %}
        when
            is_well_covered
            and resting_bpm_estimate <= 100
            and {{ max_heart_rate('age') }} - cast(resting_bpm_estimate as decimal(5, 2)) >= 30
            then 'reserve'
        {%- endif %}
        when age is not null then 'maximum'
    end
{%- endmacro %}


{#  Columns fat_burn_from_bpm, cardio_from_bpm and peak_from_bpm, the lower bounds of the zones, for a
    query of the same that joins the seed heart_rate_zones by the basis. Decimals, exact to four places. #}
{% macro zone_bounds(zones) -%}
    {%- set least = 'if(' ~ zones ~ ".zone_basis = 'reserve', cast(resting_bpm_estimate as decimal(5, 2)), 0)" -%}
    {%- for zone in ['fat_burn', 'cardio', 'peak'] %}
        cast(cast(
            {{ least }} + {{ zones }}.{{ zone }}_from_percent * ({{ max_heart_rate('age') }} - {{ least }}) / 100
            as decimal(9, 4)
        ) as double) as {{ zone }}_from_bpm{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#  Of an array of structs (bpm, micros), the microseconds of heart rates at a bound or above; null
    without the bound. #}
{% macro micros_from(rates, from_bpm) -%}
    aggregate(
        {{ rates }},
        cast(if({{ from_bpm }} is null, null, 0) as bigint),
        (total, rate) -> total + if(rate.bpm >= {{ from_bpm }}, rate.micros, 0)
    )
{%- endmacro %}


{# Columns <zone>_minutes of such an array, for a query with the columns of zone_bounds(). #}
{% macro zone_minutes(rates) -%}
    {%- set from = ['0', 'fat_burn_from_bpm', 'cardio_from_bpm', 'peak_from_bpm'] -%}
    {%- for zone in ['out_of_range', 'fat_burn', 'cardio'] %}
        {{ minutes(micros_from(rates, from[loop.index0]) ~ ' - ' ~ micros_from(rates, from[loop.index])) }}
            as {{ zone }}_minutes,
    {%- endfor %}
        {{ minutes(micros_from(rates, 'peak_from_bpm')) }} as peak_minutes
{%- endmacro %}


{# Of such an array: a minute of fat burn counts once, one of cardio or peak twice. #}
{% macro active_zone_minutes(rates) -%}
    {{ minutes(micros_from(rates, 'fat_burn_from_bpm') ~ ' + ' ~ micros_from(rates, 'cardio_from_bpm')) }}
{%- endmacro %}


{#  The microseconds that a reading stands: until the next one of its period on any device, 60 s at
    most, and to the period's end, which is the body; null if that is further off. At one instant that
    of the least device id stands, the others for nothing. #}
{% macro micros_standing(period) -%}
    unix_micros(least(
        lead(measured_at) over (
            partition by {{ period | join(', ') }} order by measured_at asc, device_id desc
        ),
        measured_at + interval 60 seconds,
        {{ caller() }}
    )) - unix_micros(measured_at)
{%- endmacro %}


{# A mean that does not depend on the order of rows, as sums of DOUBLE do. #}
{% macro mean(number) -%}
    cast(avg(cast({{ number }} as decimal(20, 10))) as double)
{%- endmacro %}


{#  Microseconds as minutes, rounded half up to 2 decimals; exact, since two decimals of a minute
    are 600,000 µs. #}
{% macro minutes(microseconds) -%}
    cast(round(cast({{ microseconds }} as decimal(20, 0)) / 60000000, 2) as double)
{%- endmacro %}


{# The microseconds from one timestamp to another. #}
{% macro micros_between(from_timestamp, to_timestamp) -%}
    (unix_micros({{ to_timestamp }}) - unix_micros({{ from_timestamp }}))
{%- endmacro %}


{# The microseconds of [from, to) past what earlier ones have covered; null without an end. #}
{% macro micros_added(from_timestamp, to_timestamp, covered_to) -%}
    if({{ to_timestamp }} is null, null, greatest(
        0,
        unix_micros({{ to_timestamp }})
        - unix_micros(greatest({{ from_timestamp }}, {{ covered_to }}))
    ))
{%- endmacro %}


{# Whether an instant lies in [from, to); null ends are unbounded. #}
{% macro in_interval(instant, from_timestamp, to_timestamp) -%}
    (({{ from_timestamp }} is null or {{ instant }} >= {{ from_timestamp }})
        and ({{ to_timestamp }} is null or {{ instant }} < {{ to_timestamp }}))
{%- endmacro %}
