{#  Snapshot strategy `change_log`: the exact SCD2 history of a change log (CDC), whatever happened
    to arrive between two runs: several changes per key, late ones, repeats, deletes, new lives,
    changes taken back.

    For every key that the log's change feed names since the last run, ALL versions are computed
    from the key's whole log and compared with the table; missing versions are inserted, those that
    differ updated, those no longer true deleted, in one MERGE. So a run is idempotent, and its
    result does not depend on how the changes were spread over runs. dbt's own strategies keep one
    change per key per run.

      snapshots:
        - name: customer_history
          relation: ref('customer_changes')        # the log: a Delta table with a change feed
          config:
            strategy: change_log
            unique_key: customer_id                # or a list
            updated_at: changed_at                 # when the change took place; becomes valid_from
            check_cols: [name, city]               # the state; a change that leaves it as it was makes no version
            hard_deletes: ignore                   # deletes are read from the log
            meta:
              log: customer_changes                # the model that `relation` refers to
              deleted_when: "op = 'D'"             # this change ends the key's life
              order_by: seq                        # optional: which of several changes at one instant is the last
              is_current: is_current               # optional: name of a boolean column for open versions

    The log must hold all changes of a key, one row each; rows may come, go and change. Other
    strategies keep dbt's own macros. See docs/snapshot.md. #}

{% macro snapshot_change_log_strategy(
    node, snapshotted_rel, current_rel, model_config, target_exists
) %}
    {% set keys = config.get('unique_key') %}
    {% set changed_at = config.get('updated_at') %}
    {% set state = config.get('check_cols') %}
    {% set meta = config.get('meta') or {} %}
    {% if not keys or not changed_at or not state or state is string or not meta.get('log') %}
        {% do exceptions.raise_compiler_error(
            'snapshot ' ~ node.name ~ ': strategy change_log needs unique_key, updated_at, check_cols'
            ~ ' (a list) and meta.log'
        ) %}
    {% endif %}
    {% if adapter.get_hard_deletes_behavior(config) != 'ignore' %}
        {% do exceptions.raise_compiler_error(
            'snapshot ' ~ node.name ~ ': strategy change_log reads deletes from the log'
            ~ ' (meta.deleted_when); hard_deletes must be ignore'
        ) %}
    {% endif %}
    {% set log = table_of(ref(meta.log)) %}
    {% set since = model.build.since.get(name_of(log)) if target_exists and model.build.way == 'keys' %}
    {% do return({
        'unique_key': keys,
        'updated_at': changed_at,
        'row_changed': 'true',
        'hard_deletes': 'ignore',
        'invalidate_hard_deletes': false,
        'scd_id': snapshot_hash_arguments(api.Relation.scd_args(keys, changed_at)),
        'change_log': {
            'keys': [keys] if keys is string else keys,
            'changed_at': changed_at,
            'state': state,
            'deleted': meta.get('deleted_when', 'false'),
            'order_by': meta.get('order_by'),
            'is_current': meta.get('is_current'),
            'log': log,
            'since': since,
        },
    }) %}
{% endmacro %}


{#  How the snapshot is built; see plan_of_build(). keys: the versions of the keys that the log's changes
    name. whole: all versions, compared with the table's. new: the columns are other ones. #}
{% macro plan_of_snapshot() %}
    {% set relation = load_cached_relation(this) %}
    {% do refuse_sampling(relation) %}
    {% set log = table_of(ref(config.get('meta').log)) %}
    {% set known = marks_of(this) if relation is not none else {} %}
    {% set since = commits_since(log, known.get('read.' ~ name_of(log))) %}
    {% set settings = [
        config.get('unique_key'), config.get('updated_at'), config.get('check_cols'), config.get('meta')
    ] %}
    {% set code = [model.compiled_code, settings | string, own_source()] %}
    {% for name in [
        'snapshot_change_log_strategy', 'change_log_states', 'change_log_versions',
        'databricks__snapshot_staging_table',
    ] %}
        {% do code.append(context[name].macro.macro_sql) %}
    {% endfor %}
    {% set types = [] %}
    {% for unique_id in model.depends_on.nodes if unique_id in graph.nodes %}
        {% for column in graph.nodes[unique_id].columns.values() %}
            {% do types.append([column.name, column.get('data_type')]) %}
        {% endfor %}
    {% endfor %}
    {% set notes = {
        'code': local_md5(code | join('|')),
        'look': local_md5(look()),
        'columns': local_md5([settings, types] | string),
        'read.' ~ name_of(log): since.newest,
    } %}
    {% set build = {'way': 'nothing', 'why': '', 'since': {name_of(log): since}, 'notes': notes} %}
    {% if not known.get('code') %}{% do build.update({'way': 'new', 'why': 'no marks' if relation else 'no table'}) %}
    {% elif dbt.should_full_refresh() %}{% do build.update({'way': 'new', 'why': 'full refresh'}) %}
    {% elif known.columns != notes.columns %}{% do build.update({'way': 'new', 'why': 'columns'}) %}
    {% elif known.code != notes.code %}{% do build.update({'way': 'whole', 'why': 'code'}) %}
    {% elif since.kind == 'lost' %}{% do build.update({'way': 'whole', 'why': name_of(log) ~ ' anew'}) %}
    {% elif since.kind == 'rows' %}{% do build.update({'way': 'keys', 'why': name_of(log)}) %}
    {% elif known.look != notes.look %}{% do build.update({'way': 'keys', 'why': 'look'}) %}
    {% endif %}
    {{ return(build) }}
{% endmacro %}


{# with-clause ending in `states`: the state of the touched keys after each instant. #}
{% macro change_log_states(strategy, sql) %}
    {%- set log = strategy.change_log -%}
    {%- set keys = log['keys'] | join(', ') -%}
    with change_log as (

        {{ sql }}

    ),

    {% if log.since -%}
    touched as (

        select distinct {{ keys }}
        from {{ change_feed(log.log, log.since) }}

    ),

    {% endif -%}
    ranked as (

        select
            change_log.*,
            {% if log.order_by -%}
            row_number() over (partition by {{ keys }}, {{ log.changed_at }} order by {{ log.order_by }} desc)
            {%- else -%} 1 {%- endif %} as __rank
        from change_log
        {%- if log.since %}
        left semi join touched on {{ same(log['keys'], 'change_log', 'touched') }}
        {%- endif %}

    ),

    -- The state after each instant; a key that does not live has none.
    states as (

        select
            *,
            case when not ({{ log.deleted }}) then struct({{ log.state | join(', ') }}) end as __state
        from ranked
        where __rank = 1

    ),
{% endmacro %}


{# The same ending in `versions`: all versions of the touched keys, as they are in the table. #}
{% macro change_log_versions(strategy, sql) %}
    {%- set log = strategy.change_log -%}
    {%- set names = config.get('snapshot_table_column_names')
        or get_snapshot_table_column_names() -%}
    {%- set keys = log['keys'] | join(', ') -%}
    {{ change_log_states(strategy, sql) }}

    neighbours as (

        select
            *,
            lag(__state) over (partition by {{ keys }} order by {{ log.changed_at }}) as __state_before
        from states

    ),

    -- Changes that change nothing make no version; a delete ends the one before it.
    bounded as (

        select
            *,
            {{ log.changed_at }} as {{ names.dbt_valid_from }},
            lead({{ log.changed_at }}) over (
                partition by {{ keys }} order by {{ log.changed_at }}
            ) as {{ names.dbt_valid_to }}
        from neighbours
        where not (__state <=> __state_before)

    ),

    versions as (

        select
            {{ keys }},
            {{ log.state | join(', ') }},
            {{ names.dbt_valid_from }},
            {{ names.dbt_valid_to }},
            {%- if log.is_current %}
            {{ names.dbt_valid_to }} is null as {{ log.is_current }},
            {%- endif %}
            {{ strategy.scd_id }} as {{ names.dbt_scd_id }},
            {{ log.changed_at }} as {{ names.dbt_updated_at }}
        from bounded
        where __state is not null

    )
{% endmacro %}


{% macro databricks__build_snapshot_table(strategy, sql) %}
    {%- if strategy.change_log is not defined -%}
    {{ return(dbt.databricks__build_snapshot_table(strategy, sql)) }}
    {%- endif -%}
    {{ change_log_versions(strategy, sql) }}
    select * from versions
{% endmacro %}


{% macro databricks__snapshot_staging_table(strategy, source_sql, target_relation) %}
    {%- if strategy.change_log is not defined -%}
    {{ return(dbt.databricks__snapshot_staging_table(strategy, source_sql, target_relation)) }}
    {%- endif -%}
    {%- set log = strategy.change_log -%}
    {%- set names = config.get('snapshot_table_column_names')
        or get_snapshot_table_column_names() -%}
    {%- set content = log.state + [names.dbt_valid_to] -%}
        {{ change_log_versions(strategy, source_sql) }},

    -- What the table says of the same keys.
    known as (

        select old.*
        from {{ target_relation }} as old
        {%- if log.since %}
        left semi join touched on {{ same(log['keys'], 'old', 'touched') }}
        {%- endif %}

    )

    select versions.*, 'upsert' as dbt_change_type
    from versions
    left join known on versions.{{ names.dbt_scd_id }} = known.{{ names.dbt_scd_id }}
    where known.{{ names.dbt_scd_id }} is null or not ({{ same(content, 'versions', 'known') }})
    union all
    select known.*, 'delete' as dbt_change_type
    from known
    left anti join versions on known.{{ names.dbt_scd_id }} = versions.{{ names.dbt_scd_id }}
{% endmacro %}


{% macro databricks__snapshot_merge_sql(target, source, insert_cols) %}
    {%- if config.get('strategy') != 'change_log' -%}
    {{ return(dbt.databricks__snapshot_merge_sql(target, source, insert_cols)) }}
    {%- endif -%}
    {%- set names = config.get('snapshot_table_column_names')
        or get_snapshot_table_column_names() -%}
    merge into {{ target }} as old
    using {{ source }} as new
    on old.{{ names.dbt_scd_id }} = new.{{ names.dbt_scd_id }}
    when matched and new.dbt_change_type = 'delete' then delete
    when matched then update set
        {% for column in insert_cols %}{{ column }} = new.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    when not matched then insert ({{ insert_cols | join(', ') }})
        values ({% for column in insert_cols %}new.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
{% endmacro %}
