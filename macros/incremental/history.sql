{# What the inputs of a node have done since it read them, by the histories that Delta keeps. #}


{#  What a node reads, as [{name, relation, is_view}]; behind a view also what the view reads. The name,
    'schema.table', is the one in marks: with --defer an input may lie in another catalog. #}
{% macro inputs_of(unique_ids) %}
    {% set found = [] %}
    {% for unique_id in unique_ids %}
        {% set node = graph.nodes.get(unique_id) or graph.sources.get(unique_id) %}
        {% set is_view = node.config.get('materialized') == 'view' %}
        {% set named = relation_of_input(node, unique_id) %}
        {% do found.append({'name': name_of(named), 'relation': named, 'is_view': is_view}) %}
        {% if is_view %}{% do found.extend(inputs_of(node.depends_on.nodes)) %}{% endif %}
    {% endfor %}
    {# What is read itself may also stand behind a view. #}
    {{ return(found | unique(attribute='name') | list) }}
{% endmacro %}


{# The table or view of an input. By ref() where that is allowed, since it knows of --defer. #}
{% macro relation_of_input(node, unique_id) %}
    {% if node.resource_type != 'source' and unique_id in (model.get('depends_on') or {}).get('nodes', []) %}
        {% set node = ref(node.package_name, node.name) %}
    {% endif %}
    {{ return(table_of(node)) }}
{% endmacro %}


{# A node's or relation's table itself: with --empty a relation stands for a query of it. #}
{% macro table_of(node) %}
    {{ return(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias or node.identifier
    )) }}
{% endmacro %}


{#  {kind, first, last, newest, has_updates, has_deletes, is_other} of a table since a mark ('<version> <time>').

    kind: `none`, no rows changed; `rows`, those of the commits first to last; `lost`, the log does not
    reach back to that very commit, or tells of one across which there is no change feed. is_other: the
    table is not the one that was read. has_updates: rows were not only appended. has_deletes: some may be
    gone. #}
{% macro commits_since(relation, mark) %}
    {% set newest = history(relation, 1)[0] %}
    {% set since = {
        'kind': 'none', 'first': 1, 'last': 0, 'newest': newest.mark,
        'has_updates': false, 'has_deletes': false, 'is_other': false,
    } %}
    {% if mark == newest.mark %}{{ return(since) }}{% endif %}
    {% if not mark %}
        {% do since.update({'kind': 'lost'}) %}
        {{ return(since) }}
    {% endif %}
    {% set after = mark.split(' ')[0] | int %}
    {% set count = newest.version - after %}
    {% set log = history(relation, count + 1) if count > 0 else [newest] %}
    {% set read = log[-1] %}
    {% set unread = log[:-1] if read.version == after else log %}
    {% set rows = unread | selectattr('has_rows') | list %}
    {% do since.update({
        'is_other': count <= 0 or (read.version == after and read.mark != mark),
        'has_updates': rows | rejectattr('is_append') | list | length > 0,
        'has_deletes': rows | selectattr('may_delete') | list | length > 0,
    }) %}
    {% set is_gone = vacuumed(unread) or expired(unread) %}
    {% if since.is_other or is_gone or unread | length != count or unread | rejectattr('is_known') | list %}
        {% do since.update({'kind': 'lost'}) %}
    {% elif rows %}
        {% do since.update({'kind': 'rows', 'first': after + 1, 'last': newest.version}) %}
    {% else %}
        {# Compaction or a note of its own: passed over, and not noted, or an idle build would commit. #}
        {% do since.update({'newest': mark}) %}
    {% endif %}
    {{ return(since) }}
{% endmacro %}


{#  Whether Delta refuses to read unread commits: of tables as they are by default, those of over a week ago,
    whose files it no longer vouches for. An hour before, since this build takes its time. #}
{% macro expired(unread, days=7) %}
    {% set read_until = run_started_at - modules.datetime.timedelta(days=days, hours=-1) %}
    {{ return(unread | length > 0 and unread[-1].at < read_until) }}
{% endmacro %}


{# Whether a VACUUM took files that the change feed of an unread commit needs. #}
{% macro vacuumed(unread) %}
    {% set found = [] %}
    {% for vacuum in unread if vacuum.cut %}
        {% for commit in unread if commit.has_rows and commit.version < vacuum.version and commit.at <= vacuum.cut %}
            {% do found.append(commit) %}
        {% endfor %}
    {% endfor %}
    {{ return(found | length > 0) }}
{% endmacro %}


{# A view has no commits: what it says is its mark, and another wording makes its readers whole. #}
{% macro view_since(relation, mark) %}
    {% set code = marks_of(relation).get('code', 'unknown') %}
    {{ return({'kind': 'none' if code == mark and mark != 'unknown' else 'lost', 'newest': code}) }}
{% endmacro %}


{# The newest commits of a table, newest first. #}
{% macro history(relation, limit) %}
    {% set appends = ['WRITE', 'STREAMING UPDATE', 'COPY INTO'] %}
    {% set changes = ['MERGE', 'UPDATE', 'DELETE'] %}
    {% set no_rows = [
        'OPTIMIZE', 'REORG', 'SET TBLPROPERTIES', 'UNSET TBLPROPERTIES', 'VACUUM START', 'VACUUM END', 'CHANGE COLUMN',
        'ADD CONSTRAINT', 'DROP CONSTRAINT', 'CLUSTER BY', 'COMPUTE STATS', 'UPGRADE PROTOCOL',
    ] %}
    {% set found = [] %}
    {% for row in run_query('describe history ' ~ relation ~ ' limit ' ~ limit).rows %}
        {% set operation = row['operation'] %}
        {% set parameters = pairs(row['operationParameters']) %}
        {% set metrics = pairs(row['operationMetrics']) %}
        {% set retention = parameters.get('specifiedRetentionMillis') or parameters.get('defaultRetentionMillis') %}
        {% do found.append({
            'version': row['version'] | int,
            'at': row['timestamp'],
            'mark': row['version'] ~ ' ' ~ row['timestamp'],
            'operation': operation,
            'is_known': operation in appends + changes + no_rows,
            'has_rows': operation in appends + changes and not wrote_nothing(operation, parameters, metrics),
            'is_append': operation in appends and parameters.get('mode', 'Append') == 'Append',
            'may_delete': operation == 'DELETE' or parameters.get('mode') == 'Overwrite'
                or metrics.get('numTargetRowsDeleted', '0') != '0',
            'cut': row['timestamp'] - modules.datetime.timedelta(milliseconds=retention | int)
                if operation == 'VACUUM START' and retention else none,
        }) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{# Whether a commit says that it changed no row: else all who read the table would be woken for it. #}
{% macro wrote_nothing(operation, parameters, metrics) %}
    {% set counts = {
        'MERGE': ['numTargetRowsInserted', 'numTargetRowsUpdated', 'numTargetRowsDeleted'],
        'UPDATE': ['numUpdatedRows'],
        'DELETE': ['numDeletedRows'],
        'WRITE': ['numOutputRows'],
        'STREAMING UPDATE': ['numOutputRows'],
    }.get(operation, []) %}
    {% set zeros = [] %}
    {% for name in counts if metrics.get(name) == '0' %}{% do zeros.append(name) %}{% endfor %}
    {{ return(counts | length > 0 and zeros | length == counts | length and parameters.get('mode') != 'Overwrite') }}
{% endmacro %}


{# A map of a result as a dict: warehouses send it as JSON, of an object or of pairs. #}
{% macro pairs(value) %}
    {% set read = fromjson(value) if value is string else value %}
    {{ return(dict(read) if read else {}) }}
{% endmacro %}
