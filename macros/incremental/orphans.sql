{#  on-run-end: drop tables and views of models that are gone, and say so. An erasure, or a reader's
    grant, would no longer reach them. Only those that carry marks, of this mechanism or, by
    `former_marks`, of one before it: other people's tables in the same schemas stay. Only when the whole
    project was built; others may hold what is left out. #}
{% macro drop_tables_of_gone_models(results, former_marks=[]) %}
    {% set narrowed = ['select', 'exclude', 'selector', 'resource_types', 'exclude_resource_types', 'models'] %}
    {% if not execute or invocation_args_dict.get('which') != 'build' %}{{ return('') }}{% endif %}
    {% for name in narrowed if invocation_args_dict.get(name) %}
        {% if invocation_args_dict[name] | reject('in', ['test', 'unit_test']) | list %}{{ return('') }}{% endif %}
    {% endfor %}
    {% set present, schemas = [], {} %}
    {% for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot') %}
        {% do present.append((node.schema ~ '.' ~ node.alias) | lower) %}
        {% do schemas.setdefault(node.database, []).append(node.schema) %}
    {% endfor %}
    {% for database, names in schemas.items() %}
        {% set listed = run_query(
            'select table_schema, table_name from ' ~ database ~ '.information_schema.tables where table_schema in (\''
            ~ names | unique | join("', '") ~ '\')'
        ).rows %}
        {% for schema, name in listed if (schema ~ '.' ~ name) | lower not in present %}
            {% do drop_if_marked(adapter.get_relation(database, schema, name), former_marks) %}
        {% endfor %}
    {% endfor %}
{% endmacro %}


{% macro drop_if_marked(relation, former_marks) %}
    {% set found = [] %}
    {% for row in run_query('show tblproperties ' ~ relation).rows if relation %}
        {% for prefix in ['build.code'] + former_marks if row[0].startswith(prefix) %}
            {% do found.append(prefix) %}
        {% endfor %}
    {% endfor %}
    {% if found %}
        {% do adapter.drop_relation(relation) %}
        {% do log('Dropped ' ~ name_of(relation) ~ ': no model of this project makes it', info=true) %}
    {% endif %}
{% endmacro %}
