{#  Local clocks: `zone` is a column or expression that holds an IANA name. Sessions are in UTC, so a
    timestamp that shows a local clock is one whose UTC reading that clock shows. #}


{# What a clock in the zone shows at an instant. #}
{% macro local_time(instant, zone) -%}
    from_utc_timestamp({{ instant }}, {{ zone }})
{%- endmacro %}


{# The date in the zone at an instant. #}
{% macro local_date(instant, zone) -%}
    cast({{ local_time(instant, zone) }} as date)
{%- endmacro %}


{#  The instant that the local hour of another one is known by: that minus minutes, seconds and
    fraction of the local clock. The two hours of 01:00 in autumn are two, and zones off by half an
    hour begin theirs at :30. An hour ends an hour later. #}
{% macro hour_at(instant, zone) -%}
    ({{ instant }} - (
        {{ local_time(instant, zone) }} - date_trunc('hour', {{ local_time(instant, zone) }})
    ))
{%- endmacro %}


{#  The first instant whose local date it is: the first midnight where clocks show two, and where a
    gap begins with the day, what the clock shows after it. #}
{% macro day_begins(date, zone) -%}
    to_utc_timestamp(cast({{ date }} as timestamp), {{ zone }})
{%- endmacro %}


{# The zone of a member who is outer-joined to `member_zones` as `zones`. #}
{% macro member_zone(zones) -%}
    coalesce({{ zones }}.time_zone, '{{ var("default_time_zone") }}')
{%- endmacro %}


{#  Whether a text is a name that clocks can be asked by. Without a slash there are Java's own
    abbreviations and offsets too, which IANA does not know. #}
{% macro is_time_zone(name) -%}
    ({{ name }} = 'UTC' or {{ name }} like '%/%')
    and try_cast(concat('2024-01-01 00:00:00 ', {{ name }}) as timestamp) is not null
{%- endmacro %}
