{# The zones of the seed heart_rate_zones, from the lowest: each has a column of minutes. #}
{% macro zone_names() -%}
    {{ return(['out_of_range', 'fat_burn', 'cardio', 'peak']) }}
{%- endmacro %}
