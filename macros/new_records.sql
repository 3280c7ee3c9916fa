{#  How staging takes in bronze: each record once, and again only when somebody is erased or a rule
    was relaxed. The rest of how a build finds what is new is in change_feed.sql. #}


{#  What to write behind FROM to read bronze records that staging does not hold yet, with
    bronze_version (the commit that brought them). The mark is the newest bronze_version that staging
    holds, so rows and mark are one commit, and a record is taken in exactly once; table properties
    carry it over commits without records.

    When somebody is erased all records are read again: see keep_out(), which has the same `kind`.
    With --vars 'retry_rejected: true' the records it rejected are read as well, to be judged anew;
    `key` is what identifies a row of `bronze`. #}
{% macro new_records(relation, kind, key='bronze.record_id') -%}
    {%- if not execute or relation.is_cte -%}
        (select *, cast(0 as bigint) as bronze_version from {{ relation }})
    {%- else -%}
        {%- set suppressions = suppressions_of(kind) -%}
        {%- set whole = not is_incremental() -%}
        {%- set after = -1 -%}
        {%- if not whole -%}
            {%- set after = input_marks().get(two_part_name(relation), -1) -%}
        {%- endif -%}
        {%- set up_to = current_version(relation, after) -%}
        {%- if not whole and after < up_to -%}
            {#- Rows behind the mark are those of a build that died before it stored one. -#}
            {%- set newest = run_query(
                'select max(bronze_version) from ' ~ this ~ ' where bronze_version > ' ~ after
            ).rows[0][0] -%}
            {%- set after = after if newest is none else newest | int -%}
            {%- set up_to = current_version(relation, after) -%}
        {%- endif -%}
        {%- if not whole -%}
            {%- if after > up_to -%}
                {%- do exceptions.raise_compiler_error(
                    this ~ ' holds ' ~ relation ~ ' up to commit ' ~ after ~ ', but its newest is ' ~ up_to
                    ~ ': bronze was made anew. Build everything from it: lakehouse rebuild.'
                ) -%}
            {%- endif -%}
            {%- set whole = has_changed(suppressions) -%}
        {%- endif %}
        /* input {{ two_part_name(relation) }}@{{ up_to }} */
        /* input {{ two_part_name(suppressions) }}@{{ current_version(suppressions) }} */
        {% if whole -%}
        (
            /* changed, all read again */
            select *, cast({{ up_to }} as bigint) as bronze_version
            from {{ relation }} version as of {{ up_to }}
        )
        {%- elif after == up_to and not var('retry_rejected') -%}
        (select *, cast(0 as bigint) as bronze_version from {{ relation }} where false)
        {%- else -%}
        (
            /* changed */
            {% if var('retry_rejected') -%}
            select
                bronze.*,
                rejected.bronze_version
            from {{ relation }} as bronze
            inner join {{ this }} as rejected on {{ key }} = rejected.record_key
            where rejected.reject_reason is not null
            {{ 'union all' if after < up_to }}
            {%- endif -%}
            {%- if after < up_to %}
            select
                * except (_change_type, _commit_version, _commit_timestamp),
                _commit_version as bronze_version
            from {{ commits(relation, after + 1, up_to) }}
            -- Reading the target makes two builds at once conflict, instead of taking records in twice.
            where
                _change_type = 'insert'
                and _commit_version > (
                    select coalesce(max(bronze_version), -1)
                    from {{ this }}
                    where bronze_version > {{ after }}
                )
            {%- endif %}
        )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#  Strategy new_records: appends; says nothing to Delta when nothing is new. Of records that were
    read again, those that are erased now, or no longer, are replaced, and those with another reason
    to reject them when that was asked for. #}
{% macro get_incremental_new_records_sql(arg_dict) -%}
    {%- if not found_changes() -%}
    select 'nothing new' as outcome
    {%- elif 'all read again' in model.compiled_code or var('retry_rejected') -%}
    merge into {{ arg_dict['target_relation'] }} as old
    using {{ arg_dict['temp_relation'] }} as new
    on old.record_key = new.record_key
    when matched and (
        not (old.erased_at <=> new.erased_at)
        {%- if var('retry_rejected') %}
        or not (old.reject_reason <=> new.reject_reason)
        {%- endif %}
    ) then update set
        {% for column in model.columns if column != 'bronze_version' -%}
        {{ column }} = new.{{ column }}{{ ', ' if not loop.last }}
        {%- endfor %}
    when not matched then insert *
    {%- else -%}
    insert into {{ arg_dict['target_relation'] }} by name select * from {{ arg_dict['temp_relation'] }}
    {%- endif -%}
{%- endmacro %}
