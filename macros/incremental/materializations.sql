{#  dbt's materializations of a Databricks warehouse, each with the question before it how the node is
    to be built. Whatever makes or alters a table is the adapter's own. #}


{% materialization incremental, adapter='databricks', supported_languages=['sql', 'python'] %}
    {% if config.get('incremental_strategy') != 'differences' %}
        {{ return(dbt.materialization_incremental_databricks()) }}
    {% endif %}
    {% set build = plan_of_build() %}
    {% do model.update({'build': build}) %}
    {% if build.way == 'nothing' %}{{ return(nothing_new()) }}{% endif %}
    {% if build.way == 'whole' %}{% do run_query(set_marks({'code': 'in doubt'})) %}{% endif %}
    {% if build.way == 'new' or not build.looks_same %}
        {% do dbt.materialization_incremental_databricks() %}
    {% else %}
        {{ run_pre_hooks() }}
        {% set sql = differences() %}
        {% if sql %}{% do run_query(sql) %}{% endif %}
        {{ run_post_hooks() }}
    {% endif %}
    {% do run_query(set_marks(build.notes)) %}
    {% if build.way == 'new' %}{% do refuse_doubled_rows() %}{% endif %}
    {% call noop_statement('main', build.way | upper ~ ': ' ~ build.why) %}{% endcall %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{% materialization view, adapter='databricks' %}
    {{ return(built_if_changed(dbt.materialization_view_databricks, model.compiled_code)) }}
{% endmaterialization %}


{# dbt asks a seed for its rows also where nothing was loaded. #}
{% materialization seed, adapter='databricks' %}
    {% set rows = load_agate_table() %}
    {% do store_result('agate_table', response='OK', agate_table=rows) %}
    {% set texts = [rows.column_names | string] %}
    {% for row in rows.rows %}{% do texts.append(row.values() | string) %}{% endfor %}
    {{ return(built_if_changed(dbt.materialization_seed_databricks, texts | join)) }}
{% endmaterialization %}


{% materialization snapshot, adapter='databricks' %}
    {% if config.get('strategy') != 'change_log' %}
        {{ return(dbt.materialization_snapshot_databricks()) }}
    {% endif %}
    {% set build = plan_of_snapshot() %}
    {% do model.update({'build': build}) %}
    {% if build.way == 'nothing' %}{{ return(nothing_new()) }}{% endif %}
    {% if build.way == 'whole' %}{% do run_query(set_marks({'code': 'in doubt'})) %}{% endif %}
    {% set relation = load_cached_relation(this) %}
    {# The adapter only adds columns to a snapshot. #}
    {% if build.way == 'new' and relation is not none %}{% do adapter.drop_relation(relation) %}{% endif %}
    {% do dbt.materialization_snapshot_databricks() %}
    {% do run_query(set_marks(build.notes)) %}
    {% call noop_statement('main', build.way | upper ~ ': ' ~ build.why) %}{% endcall %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}
