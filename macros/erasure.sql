{#  Erasure: whose records are kept out, and what is done about them (docs/erasure.md).

    Nothing here ever sees an id: persons, devices and MAC addresses are compared by a keyed hash
    (HMAC-SHA-256), whose key lies in bronze.erasure_key. #}


{# One row: the two blocks that HMAC derives from its key; nulls before the first erasure. #}
{% macro erasure_pads() -%}
    (
        select
            min(inner_pad) as inner_pad,
            min_by(outer_pad, inner_pad) as outer_pad
        from {{ source('bronze', 'erasure_key') }}
    )
{%- endmacro %}


{#  HMAC-SHA-256 of an identifier, in hexadecimal; `ingestion.erasure` computes the same. For a
    query that has the columns of erasure_pads().

    kind: user, device or mac, so that equal identifiers of two kinds have different hashes. #}
{% macro keyed_hash(kind, identifier) -%}
    sha2(
        concat(
            outer_pad,
            unhex(
                sha2(
                    concat(inner_pad, cast(concat('{{ kind }}:', {{ identifier }}) as binary)), 256
                )
            )
        ),
        256
    )
{%- endmacro %}


{#  The ids that a record may be a person's by: what it names, in the kind's own spelling and as it
    came, under which an earlier edition may have erased it; if it names none, its id field, its key and
    every word of both and of the text.

    kind: user, device or mac; named: the id, null if there is none; field, key, text: fields. #}
{% macro ids_of(kind, named, field, text, key=none) -%}
    case
        when {{ named }} is not null then array_distinct(array({{ named }}, {{ as_spelled(kind, field) }}))
        else {{ words_of(kind, field, key, text) }}
    end
{%- endmacro %}


{# An identifier as it came, in the spelling of the first edition's hashes. #}
{% macro as_spelled(kind, text) -%}
    {{ 'lower(' ~ text ~ ')' if kind == 'mac' else text }}
{%- endmacro %}


{#  What may be an identifier in a record that names none: its id field and its key as a whole, and
    the words of key and text, each as it came and as the identifier that it spells. #}
{% macro words_of(kind, field, key, text) -%}
    {%- set whole = [field, key] if key else [field] -%}
    {%- set searched = "concat_ws(' ', " ~ ([text] + whole) | join(', ') ~ ')' -%}
    {%- set words -%}
    array_union(array({{ whole | join(', ') }}), {{ split_words(searched) }})
    {%- endset -%}
    array_union(
        transform({{ words }}, word -> {{ as_spelled(kind, 'word') }}),
        transform({{ words }}, word -> {{ as_mac('word') if kind == 'mac' else as_id('word') }})
    )
{%- endmacro %}


{# The words of a text, with colons in them, as MAC addresses have, and without. #}
{% macro split_words(text) -%}
    array_distinct(concat(
        transform(
            split(coalesce({{ text }}, ''), '[^\\w.:@-]+'), part -> trim(both ':' from part)
        ),
        split(coalesce({{ text }}, ''), '[^\\w.@-]+')
    ))
{%- endmacro %}


{#  Run-operation: put persons on the suppression list. The next `dbt build` takes them out of
    silver and gold, `dbt run-operation blank_erased` then empties their records in bronze.

    persons: keyed hashes, which `python -m ingestion.erasure hash` makes of user ids. Fails, and
    changes nothing, if one of them is the hash of no user in bronze. Those on the list already are
    passed over. #}
{% macro forget(persons) -%}
    {% for person in persons if person | length != 64 or person | reject('in', '0123456789abcdef') | list %}
        {% do exceptions.raise_compiler_error('persons are given as keyed hashes, never as ids') %}
    {% endfor %}
    {% set wanted %}
    (select explode(array('{{ persons | join("', '") }}')) as user_hash)
    {%- endset %}
    {% set list = source('bronze', 'suppression_list') %}
    {% set unknown = run_query(
        'select user_hash from ' ~ wanted ~ ' left anti join (' ~ known_persons()
        ~ ') using (user_hash) left anti join ' ~ list ~ ' using (user_hash)'
    ).columns[0].values() %}
    {% if unknown %}
        {% do exceptions.raise_compiler_error('no record of: ' ~ unknown | join(' ')) %}
    {% endif %}
    {% do run_query(
        'insert into ' ~ list ~ ' select user_hash, current_timestamp() from ' ~ wanted
        ~ ' left anti join ' ~ list ~ ' using (user_hash)'
    ) %}
    {% do log(persons | length ~ ' persons are on the suppression list', info=true) %}
{%- endmacro %}


{# Query: the hashes of all users that bronze knows, also of ids as they came. #}
{% macro known_persons() -%}
    select {{ keyed_hash('user', 'user_id') }} as user_hash
    from (
        select explode(array(field, {{ as_id('field') }})) as user_id
        from (
            {% for feed in ['user_info', 'workout'] %}
            select explode(array(
                {{ json_field(json_document('cast(value as string)'), 'user_id') }},
                {{ key_field(trimmed('cast(key as string)')) }}
            )) as field
            from {{ source('bronze', feed) }}
            where erased_at is null
            union all
            {% endfor %}
            select {{ trimmed('user_id') }} as field
            from {{ source('bronze', 'registered_users') }}
            where erased_at is null
        )
    )
    cross join {{ erasure_pads() }}
    where user_id <> ''
{%- endmacro %}


{#  Run-operation: empty the records in bronze that staging keeps out, those of late arrivals too.
    Positions stay, so that ingestion resumes and audits as before. May be repeated. #}
{% macro blank_erased() -%}
    {% set feeds = {
        'user_info': (erasure_staging('stg_kafka__user_info'), ['key', 'value', 'headers']),
        'bpm': (erasure_staging('stg_kafka__bpm'), ['key', 'value', 'headers']),
        'workout': (erasure_staging('stg_kafka__workout'), ['key', 'value', 'headers']),
        'registered_users': (
            erasure_staging('stg_azure_sql__registered_users'),
            ['raw', 'user_id', 'device_id', 'mac_address', 'registration_timestamp'],
        ),
        'gym_logins': (
            erasure_staging('stg_azure_sql__gym_logins'), ['raw', 'mac_address', 'gym', 'login', 'logout'],
        ),
    } %}
    {# Before their payload goes: what bounds the readings and logins of erased persons. #}
    {% set registrations = erasure_staging('stg_azure_sql__registered_users') %}
    {% set remembered = source('bronze', 'erased_registrations') %}
    {% do merge_if_any(
        remembered,
        'select distinct erased_registration.* from ' ~ registrations ~ ' where erased_registration is not null'
        ~ ' except select user_hash, device_hash, mac_hash, registered_at from ' ~ remembered,
        'false',
        'when not matched then insert *',
    ) %}
    {% for feed, (records, payload) in feeds.items() %}
        {% do blank_feed(feed, records, payload) %}
    {% endfor %}
    {% set deletes = source('bronze', 'source_deletes') %}
    {% do merge_if_any(
        deletes,
        'select distinct feed, source_file, record_key from (select *, explode(' ~ split_words('record_key')
        ~ ') as word from ' ~ deletes ~ ') cross join ' ~ erasure_pads() ~ ' left semi join ('
        ~ 'select user_hash as identifier_hash from ' ~ source('bronze', 'suppression_list')
        ~ ' union all select identifier_hash from ' ~ erasure_staging('stg_erasure__ownerships')
        ~ ") as known on known.identifier_hash = if(feed = 'gym_logins', " ~ keyed_hash('mac', 'coalesce(' ~ as_mac('word') ~ ', lower(word))')
        ~ ', ' ~ keyed_hash('user', without_zero_fraction('word')) ~ ')',
        'old.feed = new.feed and old.source_file = new.source_file and old.record_key = new.record_key',
        'when matched then delete',
    ) %}
    {# Made outside dbt, on Databricks: which reader may see which member. #}
    {% set access = adapter.get_relation(target.database, 'silver', 'member_access') %}
    {% if access %}
        {% do merge_if_any(
            access,
            'select distinct old.user_id from ' ~ access ~ ' as old cross join ' ~ erasure_pads() ~ ' left semi join '
            ~ source('bronze', 'suppression_list') ~ ' as list on list.user_hash = '
            ~ keyed_hash('user', 'old.user_id'),
            'old.user_id = new.user_id',
            'when matched then delete',
        ) %}
    {% endif %}
{%- endmacro %}


{# Empty the records of one feed that staging keeps out; of others' records, an erased person's key. #}
{% macro blank_feed(feed, records, payload) -%}
    {% set bronze = source('bronze', feed) %}
    {% set place = bronze_record_key(feed) %}
    {% do merge_if_any(
        bronze,
        'select records.record_key, records.erased_at from ' ~ records ~ ' as records left semi join ' ~ bronze
        ~ ' as old on records.record_key = ' ~ place ~ ' and old.erased_at is null'
        ~ ' where records.erased_at is not null',
        place ~ ' = new.record_key',
        'when matched then update set ' ~ payload | join(' = null, ') ~ ' = null, erased_at = new.erased_at',
    ) %}
    {# Someone else's record under the person's key: the payload stays. #}
    {% if feed in ['user_info', 'workout'] %}
        {% do merge_if_any(
            bronze,
            'select ' ~ place ~ ' as record_key from ' ~ bronze ~ ' as old cross join ' ~ erasure_pads()
            ~ ' left semi join ' ~ source('bronze', 'suppression_list') ~ ' as list on list.user_hash = '
            ~ keyed_hash('user', key_field(trimmed('cast(old.key as string)')))
            ~ ' left semi join ' ~ records ~ ' as records on records.record_key = ' ~ place
            ~ ' and records.erased_at is null where old.key is not null',
            place ~ ' = new.record_key',
            'when matched then update set key = null',
        ) %}
    {% endif %}
{%- endmacro %}


{#  MERGE, unless there is nothing to merge: then no commit either. What the statement compares with
    stands in `rows`, since a table's history keeps the text of the condition. #}
{% macro merge_if_any(target, rows, on, actions) -%}
    {% set found = run_query('select count(*) from (' ~ rows ~ ')').rows[0][0] | int %}
    {% if found %}
        {% do run_query(
            'merge into ' ~ target ~ ' as old using (' ~ rows ~ ') as new on ' ~ on ~ ' ' ~ actions
        ) %}
        {% do log(target.identifier ~ ': ' ~ found ~ ' records', info=true) %}
    {% endif %}
{%- endmacro %}


{# The record_key of staging for a row `old` of bronze. #}
{% macro bronze_record_key(feed) -%}
    {%- if feed in ['registered_users', 'gym_logins'] -%} old.record_id
    {%- else -%} coalesce(old.record_id, concat_ws('/', old.topic, old.topic_epoch, old.`partition`, old.`offset`))
    {%- endif -%}
{%- endmacro %}


{# A model of staging, for run-operations, which are in no group: ref() hides private models. #}
{% macro erasure_staging(name) -%}
    {{ return(api.Relation.create(target.database, 'silver', name)) }}
{%- endmacro %}
