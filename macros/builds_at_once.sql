{#  Two builds at once: no row twice, and one sentence about what happened (docs/incremental.md). #}


{#  The adapter's macro of this name, which creates a table and then fills it, with two changes for
    a build that meets another one between the two statements: rows replace those of the other build
    (Delta then refuses one of two at once) instead of coming on top of them, and a table that was
    not there when this build began is not replaced by an empty one. #}
{% macro create_table_at(relation, intermediate_relation, compiled_code) %}
    {% set columns, constraints = parse_model_columns_and_constraints(
        adapter.get_columns_in_relation(intermediate_relation)
    ) %}
    {% set target_relation = relation.enrich(constraints) %}
    {% set create = get_create_table_sql(target_relation, columns, compiled_code) %}
    {% if load_cached_relation(relation) is none %}
        {% set create = create | replace('create or replace table', 'create table', 1) %}
    {% endif %}

    {% call statement('main') %}
        {{ create }}
    {% endcall %}

    {{ apply_alter_constraints(target_relation) }}
    {{ apply_tags(target_relation, config.get('databricks_tags')) }}
    {% set column_tags = adapter.get_column_tags_from_model(config.model) %}
    {% if column_tags and column_tags.set_column_tags %}
        {{ apply_column_tags(target_relation, column_tags) }}
    {% endif %}

    {% call statement('fill') %}
        insert overwrite {{ target_relation }} by name select * from {{ intermediate_relation }}
    {% endcall %}
{% endmacro %}


{# on-run-end: Delta's own words for it say nothing of a build. #}
{% macro tell_of_another_build(results) -%}
    {% set conflict = 'DELTA_(CONCURRENT|METADATA_CHANGED|PROTOCOL_CHANGED)|ALREADY_EXISTS' %}
    {% for result in results if modules.re.search(conflict, result.message or '') %}
        {% if loop.first %}
            {% do log(
                'Another build wrote to the same tables at the same time: let it end and run dbt'
                ~ ' build again, which puts right what is left.', info=true
            ) %}
        {% endif %}
    {% endfor %}
{%- endmacro %}
