-- Removes files that no version of the last 7 days needs, from every Delta table of the layers.
-- 7 days is also what erasure waits for, and the reach of a restore by time travel.
-- Parameter: catalog.
begin
    declare statement string;
    for layer_table as
        select table_schema, table_name
        from identifier(:catalog || '.information_schema.tables')
        where
            table_schema in ('bronze', 'silver', 'gold')
            and table_type = 'MANAGED'
            and data_source_format = 'DELTA'
    do
        set statement = concat(
            'vacuum `', :catalog, '`.`', layer_table.table_schema, '`.`', layer_table.table_name,
            '` retain 168 hours'
        );
        execute immediate statement;
    end for;
end;
