-- Removes files that no version of the last 30 days needs, from every Delta table of the layers.
-- Time travel reaches less far where the runtime refuses versions older than a table's
-- delta.deletedFileRetentionDuration (a week). Erasure vacuums what it touched by itself.
-- Parameter: catalog.
begin
    declare statement string;
    for layer_table as
        select table_schema, table_name
        from identifier(:catalog || '.information_schema.tables')
        where
            table_schema in ('bronze', 'silver', 'gold', 'ops')
            and table_type = 'MANAGED'
            and data_source_format = 'DELTA'
    do
        set statement = concat(
            'vacuum `', :catalog, '`.`', layer_table.table_schema, '`.`', layer_table.table_name,
            '` retain 720 hours'
        );
        execute immediate statement;
    end for;
end;
