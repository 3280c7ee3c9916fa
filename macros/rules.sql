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


{# Whether a heart rate lies in a row of the seed heart_rate_zones, compared as decimals. #}
{% macro is_in_zone(heart_rate_bpm, age, zones) -%}
    100 * cast({{ heart_rate_bpm }} as decimal(9, 4)) >= {{ zones }}.from_percent * {{ max_heart_rate(age) }}
    and (
        {{ zones }}.to_percent is null
        or 100 * cast({{ heart_rate_bpm }} as decimal(9, 4)) < {{ zones }}.to_percent * {{ max_heart_rate(age) }}
    )
{%- endmacro %}


{#  <zone>_micros for each zone, and active_zone_micros, for a query that joins heart_rate_zones as
    `zones`; null if no row has a zone. #}
{% macro sums_by_zone(microseconds) -%}
    {%- for zone in ['out_of_range', 'fat_burn', 'cardio', 'peak'] %}
        sum(if(zones.zone is null, null, if(zones.zone = '{{ zone }}', {{ microseconds }}, 0))) as {{ zone }}_micros,
    {%- endfor %}
        sum({{ microseconds }} * zones.active_zone_minutes_per_minute) as active_zone_micros
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
