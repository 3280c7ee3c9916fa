{#  How the text of a source becomes typed values, in one place for all feeds.

    A *field* is named_struct('tag', …, 'text', …): the JSON type as schema_of_variant names it
    (null when the key is absent, VOID for null) and the value as trimmed text. A column of a CSV
    file is a field of tag STRING. Types are judged by tag and text, because try_variant_get(…,
    'double') takes true and "72d" for numbers. #}


{#  Blanks of every kind (space, tab, line feed, vertical tab, form feed, carriage return) go from
    both ends, a byte-order mark from the start. A regular expression would ask every character. #}
{% macro trimmed(text) -%}
    {%- set blanks = ' \\t\\n\\u000B\\u000C\\r' -%}
    trim(trailing '{{ blanks }}' from trim(leading '{{ blanks }}\uFEFF' from {{ text }}))
{%- endmacro %}


{#  The JSON document in a text; null if it is malformed (a bare NaN, a repeated key and bytes that
    are not UTF-8 are). The bytes are judged before trimming, which would replace the bad ones; behind
    the document they may be anything. Where in a value they lie shows when it is parsed with each of
    them as a control character, which JSON has in no place (their usual sign, U+FFFD, may be text). #}
{% macro json_document(text, bytes=none) -%}
    {%- if bytes -%}
    {%- set written = 'cast(' ~ bytes ~ ' as string)' -%}
    {%- set marked -%}
    replace(make_valid_utf8(replace({{ written }}, '\uFFFD', '?')), '\uFFFD', chr(1))
    {%- endset -%}
    case
        when is_valid_utf8({{ written }}) or try_parse_json({{ trimmed(marked) }}) is not null
            then try_parse_json({{ text }})
    end
    {%- else -%}
    try_parse_json({{ text }})
    {%- endif -%}
{%- endmacro %}


{# The field at a path of a JSON document. #}
{% macro json_field(document, path) -%}
    named_struct(
        'tag', schema_of_variant(try_variant_get({{ document }}, '{{ path }}', 'variant')),
        'text', {{ trimmed("try_variant_get(" ~ document ~ ", '" ~ path ~ "', 'string')") }}
    )
{%- endmacro %}


{# The field that a text is: a column's, or a record's key. #}
{% macro text_field(text) -%}
    named_struct('tag', if({{ text }} is null, null, 'STRING'), 'text', {{ trimmed(text) }})
{%- endmacro %}


{# Whether a landed file is CSV whatever it holds, as ingestion takes it. #}
{% macro is_csv_file(name) -%}
    (coalesce({{ name }}, '') rlike '(?i)[.](csv|txt)([.]gz)?$')
{%- endmacro %}


{# The field of a landed file: from the JSON document where the line is one, else the column. #}
{% macro file_field(document, column) -%}
    case
        when {{ document }} is not null then {{ json_field(document, '$.' ~ column) }}
        else {{ text_field(column) }}
    end
{%- endmacro %}


{% macro is_missing(field) -%}
    ({{ field }}.tag is null or {{ field }}.tag = 'VOID' or {{ field }}.tag = 'STRING' and {{ field }}.text = '')
{%- endmacro %}


{# Not text, not a number: the wrong type for an id, a time, a number or an action. #}
{% macro is_composite(field) -%}
    ({{ field }}.tag = 'BOOLEAN' or {{ field }}.tag like 'ARRAY%' or {{ field }}.tag like 'OBJECT%')
{%- endmacro %}


{# A fractional JSON number is no id. #}
{% macro is_wrong_id(field) -%}
    (
        {{ is_composite(field) }}
        or {{ field }}.tag like 'DECIMAL%' and {{ field }}.tag not like '%,0)'
        or {{ field }}.tag = 'DOUBLE' and coalesce(try_cast({{ field }}.text as decimal(38, 10)) % 1, 1) <> 0
    )
{%- endmacro %}


{# Decimal or exponent notation; NaN, infinities, "72d" and "0x10" are not numbers. #}
{% macro is_wrong_number(field) -%}
    (
        {{ is_composite(field) }}
        or {{ field }}.text not rlike '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$'
        or abs(try_cast({{ field }}.text as double)) = double('infinity')
    )
{%- endmacro %}


{# The id as text: 12474, "12474", 12474.0 and "12474.0" are the same. #}
{% macro id_of(field) -%}
    case
        when {{ field }}.tag = 'DOUBLE' then cast(try_cast({{ field }}.text as decimal(38, 0)) as string)
        else {{ id_text(field ~ '.text') }}
    end
{%- endmacro %}


{# The same for an id that is text. #}
{% macro id_text(text) -%}
    regexp_replace({{ text }}, '^([0-9]+)[.]0$', '$1')
{%- endmacro %}


{#  An optional text: numbers become text (whole ones without a fraction), empty text and other
    types are null. #}
{% macro optional_text(field) -%}
    case
        when {{ is_composite(field) }} then null
        when {{ field }}.tag = 'DOUBLE' and coalesce(try_cast({{ field }}.text as decimal(38, 10)) % 1, 1) = 0
            then cast(try_cast({{ field }}.text as decimal(38, 0)) as string)
        else nullif({{ field }}.text, '')
    end
{%- endmacro %}


{#  Seconds since the epoch as a timestamp, rounded half up to the microsecond by decimal arithmetic
    (a 32-bit float would be off by up to 64 s); null outside 2000-01-01 … year 5138, which is out
    of range anyway. #}
{% macro epoch_timestamp(field) -%}
    timestamp_micros(cast(nullif(
        case
            when try_cast({{ field }}.text as decimal(38, 6)) >= 946684800
                and try_cast({{ field }}.text as decimal(38, 6)) < 100000000000
                then try_cast({{ field }}.text as decimal(38, 6)) * 1000000
        end, null
    ) as bigint))
{%- endmacro %}


{# Earlier than 2000-01-01, or more than a day after the record arrived. #}
{% macro is_out_of_range(timestamp, ingested_at) -%}
    ({{ timestamp }} is null or {{ timestamp }} < timestamp'2000-01-01 00:00:00'
        or {{ timestamp }} > {{ ingested_at }} + interval 24 hours)
{%- endmacro %}


{#  A birth date in either notation; null if there is no such day, it is after the change, or more
    than 120 whole years before it. #}
{% macro birth_date(field, changed_at) -%}
    {%- set date -%}
    case
        when {{ field }}.tag = 'STRING' and {{ field }}.text rlike '^[0-9]{2}/[0-9]{2}/[0-9]{4}$'
            then try_cast(concat_ws(
                '-', right({{ field }}.text, 4), left({{ field }}.text, 2), substr({{ field }}.text, 4, 2)
            ) as date)
        when {{ field }}.tag = 'STRING' and {{ field }}.text rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
            then try_cast({{ field }}.text as date)
    end
    {%- endset -%}
    case
        when {{ date }} <= cast({{ changed_at }} as date)
            and {{ whole_years(date, 'cast(' ~ changed_at ~ ' as date)') }} <= 120
            then {{ date }}
    end
{%- endmacro %}


{#  The reasons that a record as a whole is rejected for, in their order.

    value: the trimmed text of the record's value; document: its JSON document. #}
{% macro structural_reason(value, document) -%}
    when {{ value }} is null or {{ value }} = '' then 'missing_value'
    when {{ document }} is null then 'malformed_json'
    when left({{ value }}, 1) <> '{' then 'not_an_object'
{%- endmacro %}


{# "<first> or <second> or …" of one check over several fields. #}
{% macro any_of(check, fields) -%}
    {%- for field in fields -%}{{ check(field) }}{{ ' or ' if not loop.last }}{%- endfor -%}
{%- endmacro %}


{#  What identifies a bronze record: its record_id (files, JDBC), else its place in Kafka. `bronze`
    is the alias of a bronze table; without one the columns have staging's names. #}
{% macro record_key(bronze=none) -%}
    {%- if bronze -%}
    coalesce(
        {{ bronze }}.record_id,
        concat_ws(
            '/', {{ bronze }}.topic, {{ bronze }}.topic_epoch, {{ bronze }}.`partition`, {{ bronze }}.`offset`
        )
    )
    {%- else -%}
    coalesce(record_id, concat_ws('/', topic, topic_epoch, kafka_partition, kafka_offset))
    {%- endif -%}
{%- endmacro %}


{# A typed value, for valid records only. #}
{% macro if_valid(expression) -%}
    case when reject_reason is null and erased_at is null then {{ expression }} end
{%- endmacro %}


{# A typed value of a profile's image, which a delete has not. #}
{% macro if_image(expression) -%}
    case when reject_reason is null and erased_at is null and update_type <> 'delete' then {{ expression }} end
{%- endmacro %}
