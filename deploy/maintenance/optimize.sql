-- Compacts every Delta table of the three layers, whatever their names: no list to keep.
-- Parameter: catalog. A running stream is not disturbed: OPTIMIZE changes no data, only files.
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
            'optimize `', :catalog, '`.`', layer_table.table_schema, '`.`', layer_table.table_name, '`'
        );
        execute immediate statement;
    end for;
end;
