-- Reads of cumulative registers, with the one that came before (-1 for the first). They come in the order of their meter's
-- records: no key but the meter's has parted them yet. Where OVER operators follow each other their results are wrapped in
-- an expression: the planner gives bare ones the same name.
SELECT
  *,
  COALESCE(LAG(register_ukwh) OVER dial, -1) AS register_before
FROM (
  SELECT *, MOD(register_packed, 1125899906842624) AS register_ukwh
  FROM priceable
  WHERE register_packed IS NOT NULL
)
WINDOW dial AS (PARTITION BY meter_id, register_id ORDER BY processed_at)
