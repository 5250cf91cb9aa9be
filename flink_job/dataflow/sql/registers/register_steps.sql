-- Reads of cumulative registers, each with the previous one (-1 for the first). They arrive in the order of their meter's records,
-- because no operator before has shuffled them by another key. COALESCE around the result of each OVER is necessary: the planner
-- gives the bare results of consecutive OVER operators the same name.
SELECT
  *,
  COALESCE(LAG(register_ukwh) OVER register_reads, -1) AS register_before
FROM (
  SELECT *, MOD(register_packed, ${QUANTITY_LIMIT}) AS register_ukwh
  FROM priceable
  WHERE register_packed IS NOT NULL
)
WINDOW register_reads AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
