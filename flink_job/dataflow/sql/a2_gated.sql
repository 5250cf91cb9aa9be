-- After a start the gates do not know what came before and offer an entity's first samples as uncertain: they go on only
-- where the entity mattered when the state was kept.
SELECT
  watch_batch,
  watch_certain,
  entity,
  LAST_VALUE(watch_hot) OVER (
    PARTITION BY gate
    ORDER BY processed_at
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS is_hot
FROM watch_rows
