{#  Two builds at once: no row twice, and one sentence about what happened (docs/incremental.md). #}


{#  The adapter's macro of this name, which creates (or replaces) a table and then fills it in a
    second statement, changed for what another build may do or read between the two:

    - A table that is built whole is created once; as long as the statements that make it stay the
      same, it is only filled anew, so that nobody ever finds it empty.
    - Rows replace those of another build instead of coming on top of them; of two such statements
      at once Delta refuses one.
    - A table that was not there when this build began is not replaced by an empty one. #}
{% macro create_table_at(relation, intermediate_relation, compiled_code) %}
    {% set columns, constraints = parse_model_columns_and_constraints(
        adapter.get_columns_in_relation(intermediate_relation)
    ) %}
    {% set target_relation = relation.enrich(constraints) %}
    {% set tags = config.get('databricks_tags') %}
    {% set column_tags = adapter.get_column_tags_from_model(config.model) %}
    {% set create = get_create_table_sql(target_relation, columns, compiled_code) %}
    {% set is_there = load_cached_relation(relation) is not none %}
    {% set is_whole = config.get('materialized') == 'table' %}
    {% set made_by = local_md5(
        create ~ constraints ~ tags ~ (column_tags.set_column_tags if column_tags else '')
    ) %}
    {% set is_made = (
        is_there and is_whole and made_by == table_properties(relation).get('fitbit.made_by')
    ) %}

    {% if should_full_refresh() or not is_made %}
        {% call statement('create') %}
            {{ create if is_there else create | replace('create or replace table', 'create table', 1) }}
        {% endcall %}
        {{ apply_alter_constraints(target_relation) }}
        {{ apply_tags(target_relation, tags) }}
        {% if column_tags and column_tags.set_column_tags %}
            {{ apply_column_tags(target_relation, column_tags) }}
        {% endif %}
        {% if is_whole %}
            {% call statement('made_by') %}
                alter table {{ target_relation }} set tblproperties ('fitbit.made_by' = '{{ made_by }}')
            {% endcall %}
        {% endif %}
    {% endif %}

    {% call statement('main') %}
        insert overwrite table {{ target_relation }} by name select * from {{ intermediate_relation }}
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
