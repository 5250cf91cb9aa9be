-- The bench's computation as a batch in DuckDB: all is known at once, nothing is late, no state is kept.
CREATE OR REPLACE TABLE readings AS
SELECT meter_id, start_s, kwh, interval_s,
  timezone('Europe/Madrid', to_timestamp(start_s)) AS local
FROM (
  SELECT meter_id, epoch(interval_start::TIMESTAMPTZ)::BIGINT AS start_s, MAX(energy_kwh)::DECIMAL(18, 6) AS kwh,
    ANY_VALUE(interval_s) AS interval_s
  FROM read_json($readings, columns = {
    meter_id: 'VARCHAR', interval_start: 'VARCHAR', interval_s: 'INTEGER', sequence: 'BIGINT',
    device_id: 'VARCHAR', energy_kwh: 'DECIMAL(18, 6)'})
  GROUP BY meter_id, start_s
);
CREATE OR REPLACE TABLE accumulated AS
SELECT *,
  COALESCE(SUM(kwh) OVER (PARTITION BY meter_id, month, period ORDER BY start_s
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::DECIMAL(18, 6) AS energy_before,
  COALESCE(MAX(kwh) OVER (PARTITION BY meter_id, month ORDER BY start_s
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) * 4 AS peak_before,
  COALESCE(MAX(CASE WHEN period = 'day' THEN kwh END) OVER (PARTITION BY meter_id, month ORDER BY start_s
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) * 4 AS day_peak_before
FROM (
  SELECT *, date_trunc('month', local) AS month,
    CASE WHEN isodow(local) < 6 AND hour(local) BETWEEN 8 AND 21 THEN 'day' ELSE 'valley' END AS period
  FROM readings
);
CREATE OR REPLACE TABLE costs AS
SELECT *, (energy_cost + demand_cost + fixed_cost) * 1.21 AS cost
FROM (
  SELECT a.*, c.site_path,
    CASE period
      WHEN 'day' THEN kwh * 0.141 + 0.011 * (LEAST(energy_before + kwh, 90) - LEAST(energy_before, 90))
      ELSE kwh * 0.069 + 0.002 * (LEAST(energy_before + kwh, 40) - LEAST(energy_before, 40))
    END AS energy_cost,
    6.90 * (GREATEST(peak_before, kwh * 4) - peak_before)
      - 2.75 * (LEAST(GREATEST(peak_before, kwh * 4), 40) - LEAST(peak_before, 40))
      + CASE WHEN period = 'day' THEN 2.20 * (GREATEST(day_peak_before, kwh * 4) - day_peak_before) ELSE 0 END
      AS demand_cost,
    48.00 * interval_s / (epoch(timezone('Europe/Madrid', month + INTERVAL 1 MONTH))
      - epoch(timezone('Europe/Madrid', month))) AS fixed_cost
  FROM accumulated AS a JOIN read_json($contracts) AS c USING (meter_id)
);
CREATE OR REPLACE TABLE kpis AS
SELECT size, level, entity, time_bucket(size, to_timestamp(start_s)) AS window_start,
  COUNT(*) AS readings, SUM(kwh) AS energy_kwh, SUM(cost) AS cost, MAX(kwh) * 4 AS max_kw
FROM costs,
  (VALUES (INTERVAL 15 MINUTES), (INTERVAL 1 HOUR), (INTERVAL 1 DAY)) AS sizes (size),
  (VALUES (1), (2), (3), (4)) AS levels (level),
  LATERAL (SELECT array_to_string(string_split(site_path, '/')[:level], '/') AS entity)
GROUP BY ALL;
