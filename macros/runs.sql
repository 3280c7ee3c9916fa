{#  on-run-end: what a run did to each node and what each test said, as rows of `ops.runs`. A run that
    changed nothing, and whose tests all pass, commits nothing here either. Never a message: the text of
    an error may hold values of data. #}
{% macro record_run(results) %}
    {# Of exposures and saved queries, of which there is nothing to build. #}
    {% set results = results | rejectattr('status', 'eq', 'no-op') | list %}
    {% set told = results | rejectattr('status', 'eq', 'pass') | rejectattr('message', 'eq', 'NOTHING NEW') | list %}
    {% set commands = ['build', 'run', 'seed', 'snapshot', 'test'] %}
    {% if not execute or not told or invocation_args_dict.get('which') not in commands %}{{ return('') }}{% endif %}
    {% set runs = api.Relation.create(database=target.database, schema='ops', identifier='runs') %}
    {# Where schemas are deployed, dbt may not make any, not even one that is there. #}
    {% if not adapter.check_schema_exists(runs.database, runs.schema) %}
        {% do adapter.create_schema(runs.without_identifier()) %}
    {% endif %}
    {% do run_query(
        'create table if not exists ' ~ runs ~ ' (run_id string, command string, started_at timestamp, '
        ~ 'run_seconds double, node string, resource_type string, status string, seconds double, failures bigint)'
    ) %}
    {% set seconds = (modules.datetime.datetime.now(modules.pytz.utc) - run_started_at).total_seconds() %}
    insert into {{ runs }} values
    {% for result in results %}
        (
            '{{ invocation_id }}', '{{ invocation_args_dict.which }}',
            timestamp '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}Z', {{ seconds | round(3) }},
            '{{ result.node.name }}', '{{ result.node.resource_type }}',
            '{{ "nothing new" if result.message == "NOTHING NEW" else result.status }}',
            {{ result.execution_time | round(3) }}, {{ "null" if result.failures is none else result.failures }}
        ){{ ',' if not loop.last }}
    {% endfor %}
{% endmacro %}
