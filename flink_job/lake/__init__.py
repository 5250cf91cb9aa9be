"""Reading the outputs: each key once, partial KPIs merged. SQL that Athena and DuckDB both take."""
