{#  dbt's materializations of a Databricks warehouse, with one question before each: is there anything
    to build (built_if_new() in nothing_new.sql)? A file of its own, since sqlfluff does not know the
    tag. #}


{% materialization incremental, adapter='databricks', supported_languages=['sql', 'python'] %}
    {{ return(built_if_new(dbt.materialization_incremental_databricks)) }}
{% endmaterialization %}


{% materialization table, adapter='databricks', supported_languages=['sql', 'python'] %}
    {{ return(built_if_new(dbt.materialization_table_databricks)) }}
{% endmaterialization %}


{% materialization view, adapter='databricks' %}
    {{ return(built_if_new(dbt.materialization_view_databricks)) }}
{% endmaterialization %}


{% materialization snapshot, adapter='databricks' %}
    {{ return(built_if_new(dbt.materialization_snapshot_databricks)) }}
{% endmaterialization %}


{# dbt asks a seed for its rows also where nothing was loaded. #}
{% materialization seed, adapter='databricks' %}
    {% do store_result('agate_table', response='OK', agate_table=load_agate_table()) %}
    {{ return(built_if_new(dbt.materialization_seed_databricks)) }}
{% endmaterialization %}
