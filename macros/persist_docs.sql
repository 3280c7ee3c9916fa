{#  A table's comment is written when it is another one than stands already. The adapter writes that
    of a snapshot in each build, and each time makes a commit that all who read the table look at. #}
{% macro databricks__persist_docs(relation, model, for_relation, for_columns) -%}
    {% set for_relation = for_relation and config.persist_relation_docs() %}
    {% if for_relation and model.description %}
        {% set comments = [] %}
        {% set described = run_query('describe table extended ' ~ relation).rows %}
        {% for row in described if row[0] == 'Comment' %}
            {% do comments.append(row[1] | trim) %}
        {% endfor %}
        {% set for_relation = comments != [model.description | trim] %}
    {% endif %}
    {% do dbt.databricks__persist_docs(relation, model, for_relation, for_columns) %}
{%- endmacro %}
