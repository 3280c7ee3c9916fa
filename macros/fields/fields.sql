{#  The kinds of field of the source contract (docs/rules.md), one macro a kind.

    A field is a text: '' if it is missing. What is no value of its kind is null. Only the range of a
    time is judged by the models. No pattern here repeats a group: Java's stack would overflow on a
    long text, and no try_ function catches that. #}


{# Blanks go from both ends, and one byte-order mark from between those at the start. #}
{% macro trimmed(text) -%}
    trim(
        both ' \t\n\u000B\u000C\r'
        from regexp_replace({{ text }}, '^[ \\t\\n\\x0B\\f\\r]*\\uFEFF', '')
    )
{%- endmacro %}


{#  A payload as a JSON document: a list of one object; null if it is not valid UTF-8, not exactly
    one object, has a key twice or is nested deeper than 200.

    try_parse_json stops behind the first value. So the text is parsed inside of a list; what ends
    that list early, or adds to it, fails inside of an object, and can only follow a closing brace. #}
{% macro json_document(text) -%}
    {%- set bare -%}
        regexp_replace({{ whole_characters(text) }}, '^[ \\t\\n\\r]*\\uFEFF', '')
    {%- endset -%}
    case
        when not is_valid_utf8({{ text }}) then null
        when {{ text }} not rlike '^[ \\t\\n\\r]*\\uFEFF?[ \\t\\n\\r]*[{]' then null
        when
            {{ text }} rlike '[}][ \\t\\n\\r]*[\\],]'
            and try_parse_json(concat('{"":', {{ bare }}, '}')) is null
            then null
        when length({{ text }}) > 400 and {{ json_depth(text) }} > 200 then null
        else try_parse_json(concat('[', {{ bare }}, ']'))
    end
{%- endmacro %}


{#  JSON text in which half a surrogate pair (`\ud800`) is a question mark: such an escape is valid
    JSON, but no text in UTF-8, and Spark 4.2 refuses it. Escaped backslashes are spelled out first,
    so that what follows a backslash is known to be an escape. #}
{% macro whole_characters(text) -%}
    if(
        {{ text }} rlike '[\\\\]u[dD][89a-fA-F]',
        regexp_replace(
            regexp_replace(
                regexp_replace({{ text }}, '[\\\\]{2}', '\\\\u005c'),
                '[\\\\]u[dD][89abAB][0-9a-fA-F]{2}(?![\\\\]u[dD][c-fC-F][0-9a-fA-F]{2})', '?'
            ),
            '(?<![\\\\]u[dD][89abAB][0-9a-fA-F]{2})[\\\\]u[dD][c-fC-F][0-9a-fA-F]{2}', '?'
        ),
        {{ text }}
    )
{%- endmacro %}


{# How deep a text of valid JSON is nested, told only from 201 brackets on, else 0. #}
{% macro json_depth(text) -%}
    if(
        length(regexp_replace({{ text }}, '[^\\[{]', '')) <= 200,
        0,
        array_max(
            aggregate(
                split(
                    regexp_replace(
                        regexp_replace(
                            regexp_replace({{ text }}, '(?s)\\\\.', ''), '"[^"]*"', ''
                        ),
                        '[^\\[\\]{}]', ''
                    ),
                    ''
                ),
                array(0, 0),
                (depths, bracket) -> array(
                    depths[0] + case when bracket in ('[', '{') then 1 when bracket = '' then 0 else -1 end,
                    greatest(depths[1], depths[0] + 1)
                ),
                depths -> array(depths[1])
            )
        )
    )
{%- endmacro %}


{# The field of a JSON document: a string's content, everything else as its JSON text. #}
{% macro json_field(document, name) -%}
    coalesce({{ trimmed("try_variant_get(" ~ document ~ ", '$[0]." ~ name ~ "', 'string')") }}, '')
{%- endmacro %}


{# The field that a record's key is, from its trimmed text: of a JSON string what is in it. #}
{% macro key_field(key) -%}
    case
        when
            left({{ key }}, 1) = '"' and regexp_replace({{ key }}, '(?s)\\\\.', '') rlike '^"[^"]*"\\z'
            then coalesce(
                {{ trimmed("try_variant_get(try_parse_json(concat('[', " ~ whole_characters(key) ~ ", ']')), '$[0]', 'string')") }},
                {{ key }}
            )
        else coalesce({{ key }}, '')
    end
{%- endmacro %}


{# Text that identifies a thing; `12474.0` is `12474`. Not true, false or 2.02E+09. #}
{% macro as_id(text) -%}
    case
        when {{ text }} rlike '^(true|false|[0-9]([.][0-9]+)?[eE][+-][0-9]+)\\z' then null
        when
            {{ without_zero_fraction(text) }} rlike '^[^\\x00-\\x1F\\x7F"\\\\{}\\[\\]]{1,128}\\z'
            then {{ without_zero_fraction(text) }}
    end
{%- endmacro %}


{# `12474.0` and `12474.00` as `12474`, all other text as it is. #}
{% macro without_zero_fraction(text) -%}
    regexp_replace({{ text }}, '^([0-9]+)[.]0+\\z', '$1')
{%- endmacro %}


{# A MAC address in lower-case pairs with colons; also taken: hyphens, fours with dots, no marks. #}
{% macro as_mac(text) -%}
    case
        when
            {{ text }} rlike '(?i)^([0-9a-f]{12}|[0-9a-f]{4}[.][0-9a-f]{4}[.][0-9a-f]{4}|[0-9a-f]{2}([:-])[0-9a-f]{2}\\2[0-9a-f]{2}\\2[0-9a-f]{2}\\2[0-9a-f]{2}\\2[0-9a-f]{2})\\z'
            then left(regexp_replace(translate(lower({{ text }}), ':.-', ''), '(..)', '$1:'), 17)
    end
{%- endmacro %}


{# A finite number of at most 40 characters, as DOUBLE. NaN, Infinity, 72d and 0x10 are none. #}
{% macro as_number(text) -%}
    case
        when
            length({{ text }}) <= 40
            and {{ text }} rlike '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\\z'
            and abs(try_cast({{ text }} as double)) < double('infinity')
            then try_cast({{ text }} as double)
    end
{%- endmacro %}


{#  Epoch seconds or ISO 8601 as a timestamp, to the microsecond. A number beyond the year 5138, or
    as far before 1970, is the last instant that a timestamp holds: a time, and out of every range. #}
{% macro as_time(text) -%}
    case
        when abs({{ as_number(text) }}) < 1e11
            then timestamp_micros(cast(floor(try_cast({{ text }} as double) * 1e6 + 0.5) as bigint))
        when {{ as_number(text) }} is not null then timestamp'9999-12-31 23:59:59.999999'
        when {{ text }} rlike '{{ iso_time() }}' and {{ text }} not like '0000%'
            then try_cast(
                concat(
                    regexp_replace({{ text }}, '{{ iso_time() }}', '$1T$2'),
                    coalesce(nullif(regexp_extract({{ text }}, '{{ iso_time() }}', 3), ''), ':00'),
                    regexp_extract({{ text }}, '{{ iso_time() }}', 4),
                    coalesce(nullif(regexp_extract({{ text }}, '{{ iso_time() }}', 5), ''), 'Z')
                ) as timestamp
            )
    end
{%- endmacro %}


{# Date, hours and minutes, seconds, fraction to the microsecond, offset of an ISO 8601 time. #}
{% macro iso_time() -%}
    ^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(?:([.][0-9]{1,6})[0-9]*)?)? ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?\\z
{%- endmacro %}


{# Earlier than 2000-01-01, or more than a day after the record arrived. #}
{% macro is_out_of_range(timestamp, ingested_at) -%}
    ({{ timestamp }} < timestamp'2000-01-01 00:00:00' or {{ timestamp }} > {{ ingested_at }} + interval 24 hours)
{%- endmacro %}


{# A text that need not be there; null for '', an object or a list. #}
{% macro as_text(text) -%}
    nullif(if({{ text }} rlike '^[\\[{]', '', {{ without_zero_fraction(text) }}), '')
{%- endmacro %}


{#  A birth date in either notation; null if there is no such day, it is after the change, or more
    than 120 whole years before it. #}
{% macro as_birth_date(text, changed_at) -%}
    {%- set date -%}
    case
        when {{ text }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}\\z' then try_cast({{ text }} as date)
        when {{ text }} rlike '^[0-9]{2}/[0-9]{2}/[0-9]{4}\\z'
            then try_cast(concat_ws('-', right({{ text }}, 4), left({{ text }}, 2), substr({{ text }}, 4, 2)) as date)
    end
    {%- endset -%}
    case
        when {{ date }} <= cast({{ changed_at }} as date) and {{ whole_years(date, changed_at) }} <= 120 then {{ date }}
    end
{%- endmacro %}
