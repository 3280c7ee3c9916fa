{# How a node is built: nothing, keys, whole or new; why; and what is noted behind it. #}


{% macro plan_of_build() %}
    {% set relation = load_cached_relation(this) %}
    {% do refuse_sampling(relation) %}
    {% set probe = new_plan({}) %}
    {% set probed = rendered_by(probe) %}
    {% set code = [model.compiled_code, merge_of(probed, 'keys', none), merge_of('', 'whole', none), own_source()] %}
    {% set notes = {
        'code': local_md5(code | join('|')), 'look': local_md5(look()), 'columns': local_md5(columns_declared())
    } %}
    {% set known = marks_of(this) if relation is not none and relation.is_table else {} %}
    {% set since, whole, keys = {}, [], [] %}
    {% for input in inputs_of(model.depends_on.nodes) %}
        {% set mark = known.get('read.' ~ input.name) %}
        {% set found = view_since(input.relation, mark) if input.is_view else commits_since(input.relation, mark) %}
        {% do refuse_changes_of_a_view(input, probe.mapped) %}
        {% do since.update({input.name: found}) %}
        {% do notes.update({'read.' ~ input.name: found.newest}) %}
        {% if found.kind == 'lost' or found.kind == 'rows' and input.name not in probe.mapped
            or found.has_deletes and input.name in probe.sources %}
            {% do whole.append(input.name ~ (' anew' if found.kind == 'lost' else '')) %}
        {% elif found.kind == 'rows' %}{% do keys.append(input.name) %}
        {% endif %}
    {% endfor %}
    {% set build = {
        'way': 'nothing', 'why': '', 'since': since, 'notes': notes,
        'looks_same': known.get('look') == notes.look,
    } %}
    {% if relation is none %}{% do build.update({'way': 'new', 'why': 'no table'}) %}
    {% elif dbt.should_full_refresh() %}{% do build.update({'way': 'new', 'why': 'full refresh'}) %}
    {% elif not known.get('code') %}{% do build.update({'way': 'new', 'why': 'no marks'}) %}
    {% elif known.get('columns') != notes.columns %}{% do build.update({'way': 'new', 'why': 'columns'}) %}
    {% elif known.code != notes.code %}{% do build.update({'way': 'whole', 'why': 'code'}) %}
    {% elif whole %}{% do build.update({'way': 'whole', 'why': whole | join(', ')}) %}
    {% elif keys %}{% do build.update({'way': 'keys', 'why': keys | join(', ')}) %}
    {% elif not build.looks_same %}{% do build.update({'way': 'keys', 'why': 'look'}) %}
    {% endif %}
    {% if relation is not none and build.way in ('whole', 'new') %}
        {% for input in inputs_of(model.depends_on.nodes) if input.name in probe.sources %}
            {% do refuse_lost_source(input.relation, since[input.name]) %}
        {% endfor %}
    {% endif %}
    {{ return(build) }}
{% endmacro %}


{#  What a second rendering of the model goes by. since: of each input, its unread commits; of an input
    that it does not name, a commit that stands for any. Rendering fills in the others: inputs whose
    changes the model maps to keys, those that it takes new rows of, and the ranges of affected days. #}
{% macro new_plan(since) %}
    {{ return({'since': since, 'mapped': [], 'sources': [], 'ranges': none, 'is_probe': not since}) }}
{% endmacro %}


{# The model's SQL by a plan. #}
{% macro rendered_by(plan) %}
    {% do model.update({'plan': plan}) %}
    {% set text = render(model.raw_code) %}
    {% do model.update({'plan': none}) %}
    {{ return(text) }}
{% endmacro %}


{# The ranges of days that a plan's rows lie on: asked once, and only where the model names a day. #}
{% macro find_ranges(plan, rows) %}
    {% if meta_of('day') and not plan.is_probe and plan.ranges is none %}
        {% do plan.update({'ranges': ranges_of(rows, meta_of('day'))}) %}
    {% endif %}
{% endmacro %}


{# `--empty` and `--sample` render inputs without rows, and all others would be deleted. #}
{% macro refuse_sampling(relation) %}
    {% if relation is not none and (invocation_args_dict.get('empty') or invocation_args_dict.get('sample')) %}
        {% do exceptions.raise_compiler_error(
            '--empty and --sample would take the rows out of ' ~ this
            ~ ', which is there: use them in a schema or catalog of their own'
        ) %}
    {% endif %}
{% endmacro %}


{% macro refuse_changes_of_a_view(input, mapped) %}
    {% if input.is_view and input.name in mapped %}
        {% do exceptions.raise_compiler_error(
            model.name ~ ' asks for the changes of ' ~ input.name
            ~ ', a view, which has no change feed: ask for those of the tables it reads'
        ) %}
    {% endif %}
{% endmacro %}


{#  What staging was filled from cannot be made again: before a whole or new build, it must be the table
    that was read, with all records that the staging table holds. #}
{% macro refuse_lost_source(source, since) %}
    {% set counts = run_query(
        'select (select count(*) from ' ~ source ~ ') as theirs, (select count(*) from ' ~ this ~ ') as own'
    ).rows[0] %}
    {% if since.is_other or counts[0] | int < counts[1] | int %}
        {% do exceptions.raise_compiler_error(
            this ~ ' was filled from ' ~ source ~ ', which '
            ~ ('was made anew since' if since.is_other else 'now has ' ~ counts[0] ~ ' records for its ' ~ counts[1])
            ~ '. If that is meant, drop ' ~ this ~ ' and build again; if not, restore ' ~ source ~ ' first.'
        ) %}
    {% endif %}
{% endmacro %}
