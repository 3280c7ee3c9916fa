{#  Marks: what a table or view was built by, and what it has read, as its own properties `build.…`.

    build.code: hash of its SQL and of what decides how it is built; `in doubt` while rows are written
    by other code than stands there. build.look: hash of comments, constraints, tags and configuration.
    build.columns: of names and types. build.read.<schema>.<table>: commit and time of the newest commit
    that it has read; of a view, that view's code. RESTORE puts them back with the rows, CLONE copies
    them, REPLACE begins without: so they always tell of the rows beside them. #}


{% macro marks_of(relation) %}
    {% set found = {} %}
    {% for row in run_query('show tblproperties ' ~ relation).rows if row[0].startswith('build.') %}
        {% do found.update({row[0][6:]: row[1]}) %}
    {% endfor %}
    {# Spark hides what might be a secret, by its name: `url` is in `hourly`. Delta hides nothing. #}
    {% if found.values() | select('in', ['*********(redacted)']) | list %}
        {% for name, value in pairs(run_query('describe detail ' ~ relation).rows[0]['properties']).items() %}
            {% if name.startswith('build.') %}{% do found.update({name[6:]: value}) %}{% endif %}
        {% endfor %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}


{% macro set_marks(marks, kind='table', relation=none) -%}
    alter {{ kind }} {{ relation or this }} set tblproperties (
        {%- for name, value in marks.items() %}
        'build.{{ name }}' = '{{ value }}'{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}


{# What a table looks like: comments, columns, constraints, tags and configuration. #}
{% macro look() %}
    {% set text = tojson([model.description, model.columns, model.get('constraints'), model.config], sort_keys=true) %}
    {% if text is none %}
        {% do exceptions.raise_compiler_error(model.name ~ ': its columns or configuration are no JSON') %}
    {% endif %}
    {{ return(text) }}
{% endmacro %}


{# Names, types and NOT NULL of the columns: with others the table is made anew. #}
{% macro columns_declared() %}
    {% set found = [] %}
    {% for column in model.columns.values() %}
        {% set constraints = column.get('constraints') | map(attribute='type') | map('string') | list %}
        {% do found.append([column.name, column.get('data_type'), constraints]) %}
    {% endfor %}
    {{ return(found | string) }}
{% endmacro %}


{# The text of what decides: once a fault in it is mended, every table is computed whole once. #}
{% macro own_source() %}
    {% set texts = [] %}
    {% for name in [
        'plan_of_build', 'find_ranges', 'inputs_of', 'relation_of_input', 'table_of', 'commits_since', 'vacuumed', 'view_since',
        'history', 'wrote_nothing', 'pairs', 'ranges_of',
    ] %}
        {% do texts.append(context[name].macro.macro_sql) %}
    {% endfor %}
    {{ return(texts | join) }}
{% endmacro %}


{# Run-operation: print the marks of every table and view of the project. #}
{% macro marks() %}
    {% for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot') %}
        {% set relation = adapter.get_relation(node.database, node.schema, node.alias) %}
        {% if relation %}
            {% for name, value in marks_of(relation).items() %}
                {% do log(relation.schema ~ '.' ~ relation.identifier ~ '  ' ~ name ~ '  ' ~ value, info=true) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
{% endmacro %}


{#  Run-operation: note the newest commit of every input as read, for tables that have read all rows of
    theirs. Before the logs behind are cut: else each reader would compute itself whole, once. #}
{% macro renew_marks() %}
    {% for node in graph.nodes.values() if node.resource_type in ('model', 'snapshot') %}
        {% set relation = adapter.get_relation(node.database, node.schema, node.alias) %}
        {% set known = marks_of(relation) if relation and relation.is_table else {} %}
        {% set marks = {} %}
        {% for input in inputs_of(node.depends_on.nodes) if not input.is_view and 'read.' ~ input.name in known %}
            {% if commits_since(input.relation, known['read.' ~ input.name]).kind == 'none' %}
                {% do marks.update({'read.' ~ input.name: history(input.relation, 1)[0].mark}) %}
            {% endif %}
        {% endfor %}
        {% if marks %}{% do run_query(set_marks(marks, relation=relation)) %}{% endif %}
    {% endfor %}
{% endmacro %}
