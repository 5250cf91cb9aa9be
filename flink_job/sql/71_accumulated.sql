-- Everything a bill depends on, after this reading: one partition per bill, so that the state before a reading is
-- exactly the state after the one before it.
SELECT
  *,
  SUM(CASE WHEN tou_period = 0 THEN import_ukwh ELSE 0 END) OVER bill AS import_0,
  SUM(CASE WHEN tou_period = 1 THEN import_ukwh ELSE 0 END) OVER bill AS import_1,
  SUM(CASE WHEN tou_period = 2 THEN import_ukwh ELSE 0 END) OVER bill AS import_2,
  SUM(CASE WHEN tou_period = 3 THEN import_ukwh ELSE 0 END) OVER bill AS import_3,
  SUM(CASE WHEN tou_period = 4 THEN import_ukwh ELSE 0 END) OVER bill AS import_4,
  SUM(CASE WHEN tou_period = 5 THEN import_ukwh ELSE 0 END) OVER bill AS import_5,
  SUM(CASE WHEN tou_period = 0 THEN export_ukwh ELSE 0 END) OVER bill AS export_0,
  SUM(CASE WHEN tou_period = 1 THEN export_ukwh ELSE 0 END) OVER bill AS export_1,
  SUM(CASE WHEN tou_period = 2 THEN export_ukwh ELSE 0 END) OVER bill AS export_2,
  SUM(CASE WHEN tou_period = 3 THEN export_ukwh ELSE 0 END) OVER bill AS export_3,
  SUM(CASE WHEN tou_period = 4 THEN export_ukwh ELSE 0 END) OVER bill AS export_4,
  SUM(CASE WHEN tou_period = 5 THEN export_ukwh ELSE 0 END) OVER bill AS export_5,
  MAX(demand_ukwh) OVER bill AS peak_0,
  MAX(CASE WHEN demand_slot = 1 THEN demand_ukwh ELSE 0 END) OVER bill AS peak_1,
  MAX(CASE WHEN demand_slot = 2 THEN demand_ukwh ELSE 0 END) OVER bill AS peak_2,
  MAX(CASE WHEN demand_slot = 3 THEN demand_ukwh ELSE 0 END) OVER bill AS peak_3
FROM demand
WINDOW bill AS (
  PARTITION BY meter_id, bill_key
  ORDER BY processed_at
  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
