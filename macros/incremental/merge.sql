{# What is written: the rows of a source that differ from the table's, and nothing else. #}


{#  keys: the source's rows are the affected ones; `is_gone` marks those to delete. whole: the source
    is the table as it should be. ranges: where the affected rows lie, so that other files stay shut. #}
{% macro merge_of(source, way, ranges) %}
    {%- set columns = model.columns.keys() | list -%}
    merge into {{ this }} as old
    using (
        {{ source }}
    ) as new
    on {{ same(unique_key(), 'old', 'new') }}
    {%- if ranges is not none %} and {{ in_ranges(ranges, 'old.' ~ meta_of('day')) }}{% endif %}
    {% if way == 'keys' -%} when matched and new.is_gone then delete {%- endif %}
    when matched and not ({{ same(columns, 'old', 'new') }}) then update set
        {% for column in columns -%}
        {{ quoted(column) }} = new.{{ quoted(column) }}{{ ', ' if not loop.last }}
        {%- endfor %}
    when not matched {{ 'and not new.is_gone' if way == 'keys' }} then
        insert ({% for column in columns %}{{ quoted(column) }}{{ ', ' if not loop.last }}{% endfor %})
        values ({% for column in columns %}new.{{ quoted(column) }}{{ ', ' if not loop.last }}{% endfor %})
    {% if way == 'whole' -%} when not matched by source then delete {%- endif %}
{% endmacro %}


{#  The rows of an input that changed, with _change_type; since: as commits_since() gives it. The name is
    in upper case since Spark keeps one resolved relation for each spelling and statement: under the
    same one, table_changes() gives the rows of the table itself. #}
{% macro change_feed(relation, since) -%}
    {%- if since and since.first > since.last -%}
    (
        select *, '' as _change_type, 0 as _commit_version, 0 as _commit_timestamp
        from {{ relation }}
        where false
    )
    {%- else -%}
    {%- set first, last = (since.first, since.last) if since else (1, 1) -%}
    table_changes('{{ (relation.database ~ '.' ~ name_of(relation)) | upper }}', {{ first }}, {{ last }})
    {%- endif -%}
{%- endmacro %}


{#  Where rows lie by a timestamp or date: runs of days, as {day, last_day, from, to}, in order. A
    predicate for each of very many runs would take longer than the files that it leaves out. #}
{% macro ranges_of(rows, column) %}
    {% set days = run_query(
        'select cast(' ~ column ~ ' as date) as day, cast(min(' ~ column ~ ') as string) as first, cast(max('
        ~ column ~ ') as string) as last from ' ~ rows ~ ' where ' ~ column ~ ' is not null group by all order by day'
    ).rows %}
    {% set runs = [] %}
    {% for day, first, last in days %}
        {% set begun = runs[-1] if runs else none %}
        {% if begun and (begun.last_day + modules.datetime.timedelta(days=1) == day or days | length > 64) %}
            {% do begun.update({'last_day': day, 'to': last}) %}
        {% else %}
            {% do runs.append({'day': day, 'last_day': day, 'from': first, 'to': last}) %}
        {% endif %}
    {% endfor %}
    {{ return(runs) }}
{% endmacro %}


{# Predicate: a timestamp or date lies on one of the days of the ranges, or up to `slack` days off. #}
{% macro on_days(ranges, column, slack=0) -%}
    {%- if ranges is none -%} true
    {%- elif not ranges -%} false
    {%- else -%}
    (
        {%- for run in ranges -%}
        {{ column }} >= '{{ run.day - modules.datetime.timedelta(days=slack) }}'
        and {{ column }} < '{{ run.last_day + modules.datetime.timedelta(days=slack + 1) }}'
        {{- ' or ' if not loop.last }}
        {%- endfor -%}
    )
    {%- endif -%}
{%- endmacro %}


{# Predicate: the model's own day column lies in the ranges themselves. #}
{% macro in_ranges(ranges, column) -%}
    {%- if ranges is none -%} true
    {%- elif not ranges -%} false
    {%- else -%}
    (
        {%- for run in ranges -%}
        {{ column }} between '{{ run.from }}' and '{{ run.to }}'{{ ' or ' if not loop.last }}
        {%- endfor -%}
    )
    {%- endif -%}
{%- endmacro %}


{% macro same(columns, left, right) -%}
    {%- for column in columns -%}
    {{ left }}.{{ quoted(column) }} <=> {{ right }}.{{ quoted(column) }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The declared columns by name: a table keeps the order in which it was made. #}
{% macro columns_of(alias) -%}
    {% for column in model.columns %}{{ alias }}.{{ quoted(column) }}{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}


{% macro quoted(column) -%} `{{ column }}` {%- endmacro %}


{% macro name_of(relation) -%} {{ return(relation.schema ~ '.' ~ relation.identifier) }} {%- endmacro %}


{% macro meta_of(name) -%} {{ return((config.get('meta') or {}).get(name)) }} {%- endmacro %}


{% macro unique_key() -%}
    {% set key = config.get('unique_key') %}
    {{ return([key] if key is string else key) }}
{%- endmacro %}
