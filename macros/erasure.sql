{#  Erasure: which records staging keeps out (docs/erasure.md). `ingestion.erasure` does the rest.

    Erased persons, devices and MAC addresses are known by a keyed hash (HMAC-SHA-256) alone, whose
    key lies in bronze.erasure_key. #}


{#  One row: the two blocks that HMAC derives from its key; nulls before the first erasure. A lost key
    ends the build: nobody would be recognised, and all who were erased would come back.

    hashes: the relation whose hashes are compared; without rows no key is needed. #}
{% macro erasure_pads(hashes) -%}
    (
        select
            if(
                count(*) = 0 and (select count(*) from {{ hashes }}) > 0,
                raise_error('bronze.erasure_key is lost: restore it, or all who were erased would come back'),
                min(inner_pad)
            ) as inner_pad,
            min_by(outer_pad, inner_pad) as outer_pad
        from {{ source('bronze', 'erasure_key') }}
    )
{%- endmacro %}


{#  HMAC-SHA-256 of an identifier, in hexadecimal; `ingestion.hashes` computes the same. For a
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
    came; if it names none, all in its texts that may be an id.

    kind: user, device or mac; named: the id, null if there is none; field: of the id, as it came;
    texts: fields, the id's among them, the key and the payload. #}
{% macro ids_of(kind, named, field, texts) -%}
    case
        when {{ named }} is not null
            then array_distinct(array({{ named }}, {{ 'lower(' ~ field ~ ')' if kind == 'mac' else field }}))
        else {{ words_of(texts) }}
    end
{%- endmacro %}


{#  What erasure and access requests find a record by that has no id in its own columns: of a rejected
    one its ids, of any one those in a key that is not the id which the payload names.

    at: the time of the event, or else of arrival; reason: why it is rejected; the others as above. #}
{% macro loose_ids(kind, named, field, texts, at, reason) -%}
    {%- set is_keyed -%}
    {{ named }} is not null and key_field not in ('', {{ named }}, {{ field }})
    {%- endset -%}
    {%- set nothing = 'cast(array() as array<string>)' -%}
    {%- set key_ids = 'if(' ~ is_keyed ~ ', ' ~ words_of(['key_field']) ~ ', ' ~ nothing ~ ')' -%}
    {%- set has_key = 'key_field' in texts -%}
    if(
        erased_at is null and ({{ reason }} is not null{{ ' or ' ~ is_keyed if has_key }}),
        named_struct(
            'ids', if({{ reason }} is null, null, {{ ids_of(kind, named, field, texts) }}),
            'key_ids', {{ key_ids if has_key else nothing }},
            'is_named', {{ named }} is not null,
            'at', {{ at }}
        ),
        null
    )
{%- endmacro %}


{#  All that may be an id in texts: each as a whole and what it can be cut into, as it came and in the
    spelling of each kind. #}
{% macro words_of(texts) -%}
    {%- set parts -%}
    concat(
        array({{ texts | join(', ') }}),
        flatten(transform(array({{ whole_characters("concat_ws('\n', " ~ texts | join(', ') ~ ')') }}), text -> {{ parts_of('text') }}))
    )
    {%- endset -%}
    array_compact(array_distinct(flatten(transform(
        transform({{ parts }}, part -> {{ trimmed('part') }}),
        word -> array(word, {{ as_id('word') }}, {{ as_mac('word') }})
    ))))
{%- endmacro %}


{#  The parts of a text, whatever it was meant to be: words with colons in them, as MAC addresses have,
    and without; what lies between blanks, commas and brackets; columns of CSV; strings of JSON. #}
{% macro parts_of(text) -%}
    {%- set unescaped -%}
    try_variant_get(try_parse_json(concat('["', part, '"]')), '$[0]', 'string')
    {%- endset -%}
    flatten(array(
        transform(
            split({{ text }}, '[^\\p{L}\\p{M}\\p{N}_.:@-]+'), part -> trim(both '.:' from part)
        ),
        split({{ text }}, '[^\\p{L}\\p{M}\\p{N}_.@-]+'),
        split({{ text }}, '[\\s",;\\[\\]{}]+'),
        transform(split({{ text }}, '[,\\n]'), part -> trim(both ' "' from part)),
        transform(
            split({{ text }}, '(?<!\\\\)"'),
            part -> if(contains(part, '\\'), coalesce({{ unescaped }}, part), part)
        )
    ))
{%- endmacro %}
