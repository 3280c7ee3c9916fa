{# What the materializations do by the plan of a node. #}


{# Strategy `differences`, for the adapter's own incremental build: dbt's extension point. #}
{% macro get_incremental_differences_sql(arg_dict) %}
    {{ return(differences() or "select 'only its look has changed' as outcome") }}
{% endmacro %}


{# The statement that brings the table to what the plan asks for; none if no row can differ. #}
{% macro differences() %}
    {% if model.build.way == 'whole' %}{{ return(merge_of(model.compiled_code, 'whole', none)) }}{% endif %}
    {% if model.build.why == 'look' %}{{ return(none) }}{% endif %}
    {% set plan = new_plan(model.build.since) %}
    {% set rows = rendered_by(plan) %}
    {{ return(none if plan.ranges == [] else merge_of(rows, 'keys', plan.ranges)) }}
{% endmacro %}


{# dbt asks this of every model: here, whether the adapter replaces a table that is there. #}
{% macro should_full_refresh() %}
    {{ return(model.build.way == 'new' if model.get('build') else dbt.should_full_refresh()) }}
{% endmacro %}


{% macro nothing_new() %}
    {% call noop_statement('main', 'NOTHING NEW') %}{% endcall %}
    {{ return({'relations': [this]}) }}
{% endmacro %}


{# A view or seed is made by its text alone: built where that, or its look, is another one. #}
{% macro built_if_changed(build, content) %}
    {% set relation = load_cached_relation(this) %}
    {% set is_view = config.get('materialized') == 'view' %}
    {% do refuse_sampling(relation if is_view else none) %}
    {% set code = local_md5(content ~ look()) %}
    {% if not should_full_refresh() and relation is not none and relation.is_view == is_view
        and marks_of(this).get('code') == code %}
        {{ return(nothing_new()) }}
    {% endif %}
    {% set built = build() %}
    {% do run_query(set_marks({'code': code}, 'view' if is_view else 'table')) %}
    {{ return(built) }}
{% endmacro %}


{#  Two builds at once may both make a table and then both fill it. Whoever looks last, behind its own
    note, finds the rows of both, and takes the note back. #}
{% macro refuse_doubled_rows() %}
    {% set writes = [] %}
    {% set made = [] %}
    {% for commit in history(this, 12) if not made %}
        {% if commit.operation in ('WRITE', 'MERGE') %}{% do writes.append(commit) %}
        {% elif not commit.is_known %}{% do made.append(commit) %}
        {% endif %}
    {% endfor %}
    {% if writes | length > 1 %}
        {% do run_query("alter table " ~ this ~ " unset tblproperties if exists ('build.code')") %}
        {% do exceptions.raise_compiler_error(
            'another build filled ' ~ this ~ ' at the same time: let it end and run dbt build again'
        ) %}
    {% endif %}
{% endmacro %}
