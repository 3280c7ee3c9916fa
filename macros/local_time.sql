{#  Local clocks: `zone` is a column or expression that holds an IANA name. Sessions are in UTC, so a
    timestamp that shows a local clock is one whose UTC reading that clock shows: what Spark's own
    from_utc_timestamp() gives, by which models write times and dates of local clocks. #}


{#  The instant that the local hour of another one is known by: that minus minutes, seconds and
    fraction of the local clock. The two hours of 01:00 in autumn are two, and zones off by half an
    hour begin theirs at :30. An hour ends an hour later. #}
{% macro hour_at(instant, zone) -%}
    ({{ instant }} - (
        from_utc_timestamp({{ instant }}, {{ zone }})
        - date_trunc('hour', from_utc_timestamp({{ instant }}, {{ zone }}))
    ))
{%- endmacro %}


{# The next full or half hour of the local clock, an instant. #}
{% macro half_hour_ends_at(instant, zone) -%}
    timestamp_micros(
        unix_micros({{ instant }}) + 1800000000
        - unix_micros(from_utc_timestamp({{ instant }}, {{ zone }})) % 1800000000
    )
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
