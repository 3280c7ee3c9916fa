{#  How a build finds what is new, for every incremental model of the project.

    Every table keeps Delta's change feed. A model reads, of each input, the commits since the ones
    that it read last (its *mark*, kept in its own table properties), finds the keys they touch, and
    computes those keys again, whole. Commit versions count up one by one whatever the clock does
    and in whatever order commits land, so no row is ever overlooked; a key that is computed twice
    comes out the same, so a run that dies between its merge and its mark only repeats itself.

    The marks that a compiled model has read up to stand in its SQL as comments (`input
    silver.x@12`), from where remember_build() stores them once the model's own commit is through.
    #}


{# 'silver.heart_rates': a table in marks and change feeds; the catalog is the session's. #}
{% macro two_part_name(relation) -%}
    {{ relation.schema }}.{{ relation.identifier }}
{%- endmacro %}


{#  The change feed of a table, commits `first` to `last`. The name is in upper case because Spark
    keeps one resolved relation per spelling and statement: in a statement that also reads the table
    itself, table_changes() of the same spelling gives the table's rows instead of its changes. #}
{% macro commits(relation, first, last) -%}
    table_changes('{{ two_part_name(relation) | upper }}', {{ first }}, {{ last }})
{%- endmacro %}


{#  A dict that all nodes of one command share. The graph outlives a command where a program parses
    the project once for several. #}
{% macro of_this_command(name) -%}
    {{ return(graph.setdefault(invocation_id, {}).setdefault(name, {})) }}
{%- endmacro %}


{# {version, at, operation} of a Delta table's newest commit. #}
{% macro newest_commit(relation) -%}
    {% set history = run_query('describe history ' ~ relation ~ ' limit 1') %}
    {{ return({
        'version': history.columns['version'].values()[0] | int,
        'at': history.columns['timestamp'].values()[0] | string,
        'operation': history.columns['operation'].values()[0],
    }) }}
{%- endmacro %}


{#  The newest commit version of a Delta table. Asked once while a model compiles, so that all who
    ask mean the same commit; and once a command for all models, since whoever reads a table is
    built after it. at_least: a commit that is known to be there, of a build beside this one. #}
{% macro current_version(relation, at_least=-1) -%}
    {% set own = model.setdefault('versions_seen', {}) %}
    {% set name = relation | string %}
    {% if own.get(name, -2) < at_least %}
        {% set all = of_this_command('versions_seen') %}
        {% if all.get(name, -2) < at_least %}
            {% do all.update({name: newest_commit(relation).version}) %}
        {% endif %}
        {% do own.update({name: all[name]}) %}
    {% endif %}
    {{ return(own[name]) }}
{%- endmacro %}


{# The properties of a table, by name. #}
{% macro table_properties(relation) -%}
    {% set properties = {} %}
    {% for row in run_query('show tblproperties ' ~ relation).rows %}
        {% do properties.update({row[0]: row[1]}) %}
    {% endfor %}
    {{ return(properties) }}
{%- endmacro %}


{# Those of this node's table before it is built. Asked once a command. #}
{% macro properties_before() -%}
    {% set all = of_this_command('properties_seen') %}
    {% if model.unique_id not in all %}
        {% do all.update({model.unique_id: table_properties(this)}) %}
    {% endif %}
    {{ return(all[model.unique_id]) }}
{%- endmacro %}


{# {'silver.heart_rates': 12, ...}: up to which commit this model's table has read its inputs. #}
{% macro input_marks() -%}
    {% set marks = {} %}
    {% for name, value in properties_before().items() if name.startswith('fitbit.input.') %}
        {% do marks.update({name[13:]: value | int}) %}
    {% endfor %}
    {{ return(marks) }}
{%- endmacro %}


{#  The commits of `relation` that this model has not read yet, as (after, up_to): it reads
    (after, up_to]. after is none in a full build. Fails when the input was made anew behind this
    model's back. #}
{% macro unread_commits(relation, is_update=none) -%}
    {% set name = two_part_name(relation) %}
    {% if not (is_incremental() if is_update is none else is_update) %}
        {{ return((none, current_version(relation))) }}
    {% endif %}
    {# A build beside this one may have moved the mark beyond a commit asked for before. #}
    {% set after = input_marks().get(name) %}
    {% set up_to = current_version(relation, -1 if after is none else after) %}
    {% if after is none or after > up_to %}
        {% do exceptions.raise_compiler_error(
            this ~ ' has read ' ~ name ~ ' up to commit ' ~ after ~ ', but its newest is ' ~ up_to
            ~ ': the input was made anew. Build everything from bronze: lakehouse rebuild'
            ~ ' (or drop silver and gold and run dbt build).'
        ) %}
    {% endif %}
    {{ return((after, up_to)) }}
{%- endmacro %}


{#  What to write behind FROM to read the changes of an input, one row a change, with the input's
    columns and _change_type (insert, delete, update_preimage, update_postimage). Only for
    incremental builds. #}
{% macro changes_of(relation) -%}
    {%- if not execute or relation.is_cte -%}
        (select *, 'insert' as _change_type from {{ relation }})
    {%- else -%}
        {%- set after, up_to = unread_commits(relation) -%}
        /* input {{ two_part_name(relation) }}@{{ up_to }} */
        {% if after == up_to -%}
        (select *, 'none' as _change_type from {{ relation }} where false)
        {%- else -%}
        /* changed */ {{ commits(relation, after + 1, up_to) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#  The days on which an incremental build's affected rows lie, as pairs of first and last day; none
    if every day counts. Asked before the model runs, since files are left out by literals alone: a
    join with `affected` reads every file of a large table, on_days() only those of these days.

    affected: query of the affected rows; column: its timestamp or date; hours: how far behind it the
    rows may still lie. #}
{% macro touched_days(affected, column, hours=0) -%}
    {% if not execute or not is_incremental() or '__dbt__cte__' in affected %}
        {{ return(none) }}
    {% endif %}
    {% if '/* changed */' not in affected %}
        {{ return([]) }}
    {% endif %}
    {{ return(days_of(affected, column, hours)) }}
{%- endmacro %}


{# The same of any query, asked whether something has changed or not. #}
{% macro days_of(rows, column, hours=0) -%}
    {% set seconds = (hours * 3600) | round(0, 'ceil') | int %}
    {% set last = 'timestampadd(second, ' ~ seconds ~ ', ' ~ column ~ ')' if seconds else column %}
    {% set found = run_query(
        'select distinct explode(sequence(cast(' ~ column ~ ' as date), cast(' ~ last ~ ' as date))) as day'
        ~ ' from (' ~ rows ~ ') order by day'
    ).columns[0].values() %}
    {% set runs = [] %}
    {% for day in found if day %}
        {% if runs and runs[-1][1] + modules.datetime.timedelta(days=1) == day %}
            {% do runs.append((runs.pop()[0], day)) %}
        {% else %}
            {% do runs.append((day, day)) %}
        {% endif %}
    {% endfor %}
    {# A predicate for each of very many runs would take longer than the files it leaves out. #}
    {{ return(runs if runs | length <= 64 else [(runs[0][0], runs[-1][1])]) }}
{%- endmacro %}


{# Predicate: a timestamp or date lies on one of the days that touched_days() found. #}
{% macro on_days(days, column) -%}
    {%- if days is none -%} true
    {%- elif not days -%} false
    {%- else -%}
    (
        {%- for first, last in days -%}
        {{ column }} >= '{{ first }}' and {{ column }} < '{{ last + modules.datetime.timedelta(days=1) }}'
        {{- ' or ' if not loop.last }}
        {%- endfor -%}
    )
    {%- endif -%}
{%- endmacro %}


{# To name the inputs of a full build, whose marks are then stored as well. #}
{% macro reads_changes_of(relations) -%}
    {%- if execute and not is_incremental() -%}
        {%- for relation in relations if not relation.is_cte %}
/* input {{ two_part_name(relation) }}@{{ current_version(relation) }} */
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{#  Whether rows of `relation` have changed since this model read it; also if it never did, as after
    a first build that died halfway. #}
{% macro has_changed(relation) -%}
    {% if input_marks().get(two_part_name(relation)) is none %}
        {{ return(true) }}
    {% endif %}
    {% set after, up_to = unread_commits(relation) %}
    {{ return(after != up_to and run_query(
        'select 1 from ' ~ commits(relation, after + 1, up_to) ~ ' limit 1'
    ).rows | length > 0) }}
{%- endmacro %}


{# Whether a compiled incremental model found anything to do. #}
{% macro found_changes() -%}
    {{ return('/* changed' in model.compiled_code) }}
{%- endmacro %}


{# Behind WITH: the CTE `affected` of an incremental build, of its query; nothing in a full one. #}
{% macro affected_cte(affected) -%}
    {%- if is_incremental() -%}
    affected as (

        {{ affected }}

    ),
    {%- endif -%}
{%- endmacro %}


{#  Strategy recompute: the model's rows are the affected keys, computed whole; a row without
    built_by is one to remove (see recomputed()). Rows that come out as they were are not touched.
    #}
{% macro get_incremental_recompute_sql(arg_dict) -%}
    {%- if not found_changes() -%}
    select 'nothing new' as outcome
    {%- else -%}
    {%- set keys = config.get('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    merge into {{ arg_dict['target_relation'] }} as old
    using {{ arg_dict['temp_relation'] }} as new
    on
        {% for key in keys %}old.{{ key }} <=> new.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
        {%- for days in modules.re.findall('/[*] old rows (.*?) [*]/', model.compiled_code) %}
        and {{ days }}
        {%- endfor %}
    when matched and new.built_by is null then delete
    when matched and not (
        {%- for column in model.columns if column not in keys and column != 'built_by' %}
        old.{{ column }} <=> new.{{ column }}{{ ' and' if not loop.last }}
        {%- else %} true {%- endfor %}
    ) then update set *
    when not matched and new.built_by is not null then insert *
    {%- endif -%}
{%- endmacro %}


{#  The end of every model of strategy recompute: the rows of `final`, marked with the build that
    computed them, and in an incremental build the rows to remove: those that the table holds for an
    affected key and `final` no longer does.

    affected: the CTE of affected keys; on: how its rows (`affected`) match the table's (`old`); days,
    day_of: what touched_days() found, and the table's column that it holds for. #}
{% macro recomputed(on, affected='affected', days=none, day_of=none) -%}
{%- set keys = config.get('unique_key') -%}
{%- set keys = [keys] if keys is string else keys -%}
select
    final.*,
    '{{ invocation_id }}' as built_by
from final
{%- if is_incremental() %}
union all
select
    old.* except (built_by),
    cast(null as string) as built_by
from {{ this }} as old
left semi join {{ affected }} as affected on {{ on }}
left anti join final on {% for key in keys %}old.{{ key }} <=> final.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
{%- if day_of %}
{%- set within = on_days(days, 'old.' ~ day_of) %}
where {{ within }}
/* old rows {{ within }} */
{%- endif %}
{%- elif day_of %}
{{ in_order_of(day_of) }}
{%- endif %}
{%- endmacro %}


{#  The end of a select: a full build writes rows in order of time, as those of later builds lie. So
    of a long history only the parts are read that hold the days asked for, by the least and greatest
    values that Delta and Parquet keep. On Databricks clustering does the same. #}
{% macro in_order_of(at) -%}
    {%- if not is_incremental() %}sort by {{ at }}{% endif -%}
{%- endmacro %}
