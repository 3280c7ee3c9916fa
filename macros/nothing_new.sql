{#  A table or view that already is what its build would leave is not built: seeds, models and the
    snapshot (docs/incremental.md). dbt's adapter would ask some ten statements for each, to find that
    out at the last of them; and while it loads a seed, fills a table anew or replaces a view, readers
    may find it empty or gone. #}


{# The adapter's materialization `build`, unless there is nothing to do. #}
{% macro built_if_new(build) %}
    {% if is_up_to_date() %}
        {% call noop_statement('main', 'NOTHING NEW') %}{% endcall %}
        {{ return({'relations': [this]}) }}
    {% endif %}
    {{ return(build()) }}
{% endmacro %}


{#  Whether this node's table was built by the definition that it has now and holds all of its
    inputs, as its properties tell (remember_build()). Nobody may have written since to what is built
    whole: what was changed by hand, or emptied by a build that died, is made anew. So is a view that
    says something else. #}
{% macro is_up_to_date() -%}
    {# Before the build reads its inputs, whose commits it may name: what is committed meanwhile is
        new to the next one. #}
    {% set definition = definition() %}
    {% set relation = load_cached_relation(this) %}
    {% set built_as = config.get('materialized') %}
    {% if should_full_refresh() or relation is none or relation.is_view != (built_as == 'view')
        or properties_before().get('fitbit.definition') != definition %}
        {{ return(false) }}
    {% endif %}
    {% if built_as == 'incremental' %}
        {{ return(not found_changes()) }}
    {% elif built_as == 'snapshot' %}
        {{ return(has_read_log()) }}
    {% endif %}
    {% set now = view_text() if built_as == 'view' else newest_commit(this).version | string %}
    {{ return(now == properties_before().get('fitbit.noted_at')) }}
{%- endmacro %}


{# What a view says, as a hash. #}
{% macro view_text() -%}
    {% set described = run_query('describe table extended ' ~ this).rows %}
    {% set texts = [] %}
    {% for row in described if row[0] == 'View Text' %}{% do texts.append(row[1]) %}{% endfor %}
    {{ return(local_md5(texts | join)) }}
{%- endmacro %}


{#  What a table is made by, as a hash: SQL, columns, comments and configuration; of a seed also its
    rows; of views and tables built whole the SQL with macros and variables filled in, of these also
    their inputs' commits. #}
{% macro definition() -%}
    {% set built_as = config.get('materialized') %}
    {% set made_by = [model.description, model.columns, model.get('constraints'), model.config] %}
    {% if built_as == 'seed' %}
        {% set rows = load_agate_table() %}
        {% do made_by.append(rows.column_names | string) %}
        {% for row in rows.rows %}{% do made_by.append(row.values() | string) %}{% endfor %}
    {% elif built_as == 'table' %}
        {% do made_by.append([model.compiled_code, commits_of_inputs()]) %}
    {% elif built_as == 'view' %}
        {% do made_by.append(model.compiled_code) %}
    {% else %}
        {% do made_by.append(model.raw_code) %}
    {% endif %}
    {% set text = tojson(made_by, sort_keys=true) %}
    {% if text is none %}
        {% do exceptions.raise_compiler_error(this ~ ': its definition is no JSON') %}
    {% endif %}
    {{ return(local_md5(text)) }}
{%- endmacro %}


{#  The newest commits of all inputs, asked once a command. With their times: a table made anew
    counts from 0 again. By ref(): with --defer inputs lie in another catalog. A view has no commits, so
    who reads one is never up to date. #}
{% macro commits_of_inputs() -%}
    {% set all = of_this_command('commits_of_inputs') %}
    {% if model.unique_id not in all %}
        {% set found = [] %}
        {% for unique_id in model.depends_on.nodes %}
            {% set node = graph.nodes.get(unique_id) or graph.sources[unique_id] %}
            {% set is_source = node.resource_type == 'source' %}
            {% set named = node if is_source else ref(node.package_name, node.name) %}
            {% set relation = api.Relation.create(
                database=named.database, schema=named.schema, identifier=named.identifier
            ) %}
            {% do found.append(
                [relation | string, invocation_id] if node.config.materialized in ('view', 'ephemeral')
                else [relation | string, newest_commit(relation)]
            ) %}
        {% endfor %}
        {% do all.update({model.unique_id: found}) %}
    {% endif %}
    {{ return(all[model.unique_id]) }}
{%- endmacro %}


{#  Post-hook of every seed, model and snapshot: notes in the table's properties up to which commits
    it read its inputs, and by which definition it was built. #}
{% macro remember_build() -%}
    {%- set properties = {} -%}
    {%- set built_as = config.get('materialized') -%}
    {%- if not execute -%}
    {%- elif built_as == 'view' -%}
        {%- do properties.update({
            'fitbit.definition': definition(), 'fitbit.noted_at': view_text()
        }) -%}
    {%- elif built_as in ('seed', 'table') -%}
        {#- Behind its rows only: another build may just have emptied it, to fill it anew. -#}
        {%- set newest = newest_commit(this) -%}
        {%- if newest.operation == 'WRITE' -%}
            {%- do properties.update({
                'fitbit.definition': definition(), 'fitbit.noted_at': newest.version + 1
            }) -%}
        {%- endif -%}
    {%- else -%}
        {%- if not is_incremental() or found_changes() -%}
            {%- for name, version in model.get('inputs_read') or modules.re.findall(
                'input ([\\w.]+)@(\\d+)', model.get('compiled_code') or ''
            ) -%}
                {%- do properties.update({'fitbit.input.' ~ name: version}) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- if properties or properties_before().get('fitbit.definition') != definition() -%}
            {%- do properties.update({'fitbit.definition': definition()}) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if properties -%}
    alter {{ 'view' if built_as == 'view' else 'table' }} {{ this }} set tblproperties (
        {%- for name, value in properties.items() %}
        '{{ name }}' = '{{ value }}'{{ ',' if not loop.last }}
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}
