{#  A table or view that already is what its build would leave is not built: seeds, models and the
    snapshot (docs/incremental.md). dbt's adapter would ask some ten statements for each, to find that out at
    the last of them; and while it loads a seed or fills a table anew, readers may find it empty. #}


{# The adapter's materialization `build`, unless there is nothing to do. #}
{% macro built_if_new(build) %}
    {% if is_up_to_date() %}
        {% call noop_statement('main', 'NOTHING NEW') %}{% endcall %}
        {{ return({'relations': [this]}) }}
    {% endif %}
    {{ return(build()) }}
{% endmacro %}


{#  Whether a table or view was built by the definition that it has now and, a table, holds all of
    its inputs.

    Its properties tell, as remember_build() left them. What is built whole must not have been
    written to since, that is its newest commit: a seed or table changed by hand is made anew. #}
{% macro is_up_to_date() -%}
    {# Asked before the build reads them: what is committed meanwhile is new to the next one. #}
    {% set inputs = inputs_read() %}
    {% set built_as = config.get('materialized') %}
    {% set relation = load_cached_relation(this) %}
    {% if should_full_refresh() or relation is none or relation.is_view != (built_as == 'view')
        or properties_before().get('fitbit.definition') != definition() %}
        {{ return(false) }}
    {% endif %}
    {% if built_as == 'view' %}
        {{ return(true) }}
    {% elif built_as == 'incremental' %}
        {{ return(not found_changes()) }}
    {% elif built_as == 'snapshot' %}
        {{ return(has_read_log()) }}
    {% endif %}
    {% for name, version in inputs if input_marks().get(name) != version %}
        {{ return(false) }}
    {% endfor %}
    {% set newest = run_query('describe history ' ~ this ~ ' limit 1') %}
    {{ return(newest.columns['operation'].values()[0] == 'SET TBLPROPERTIES') }}
{%- endmacro %}


{#  What a table or view is made by, as a hash: its SQL (with macros and variables filled in where
    that is the same in each build; of a seed its file), columns, comments and configuration. #}
{% macro definition() -%}
    {% set is_same_sql = config.get('materialized') in ('table', 'view') %}
    {% set made_by = tojson(
        [
            model.get('compiled_code') if is_same_sql else model.raw_code,
            model.checksum,
            model.description,
            model.columns,
            model.get('constraints'),
            model.config,
        ],
        sort_keys=true
    ) %}
    {% if made_by is none %}
        {% do exceptions.raise_compiler_error(this ~ ': its definition is no JSON') %}
    {% endif %}
    {{ return(local_md5(made_by)) }}
{%- endmacro %}


{#  The inputs that this node's build reads, as (name, commit): of a table built whole the newest
    ones, else those noted while it was compiled. #}
{% macro inputs_read() -%}
    {% if config.get('materialized') != 'table' %}
        {{ return(model.get('inputs_read') or modules.re.findall(
            'input ([\\w.]+)@(\\d+)', model.get('compiled_code') or ''
        )) }}
    {% endif %}
    {% set inputs = [] %}
    {% for unique_id in model.depends_on.nodes %}
        {% set node = graph.nodes.get(unique_id) or graph.sources[unique_id] %}
        {% set relation = api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.alias or node.identifier
        ) %}
        {% do inputs.append((two_part_name(relation), current_version(relation))) %}
    {% endfor %}
    {{ return(inputs) }}
{%- endmacro %}


{#  Post-hook of every seed, model and snapshot: stores up to which commits it read its inputs, and
    by which definition it was built. #}
{% macro remember_build() -%}
    {%- set built_as = config.get('materialized') -%}
    {%- if execute -%}
    {%- set properties = {} -%}
    {%- if not (is_incremental() and not found_changes()) -%}
        {%- for name, version in inputs_read() -%}
            {%- do properties.update({'fitbit.input.' ~ name: version}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if properties or built_as in ('seed', 'table', 'view')
        or properties_before().get('fitbit.definition') != definition() -%}
    alter {{ 'view' if built_as == 'view' else 'table' }} {{ this }} set tblproperties (
        {%- for name, value in properties.items() %}
        '{{ name }}' = '{{ value }}',
        {%- endfor %}
        'fitbit.definition' = '{{ definition() }}'
    )
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}
