-- Meters of which readings are expected: from when until when, on which site path, in which time zone and currency (see
-- flink_job/metering/roster.py). A row replaces the earlier one with the same meter, path, currency and upstream path.
SELECT
  meter_id,
  SPLIT_INDEX(t.term, CHR(30), 0) AS site_path,
  SPLIT_INDEX(t.term, CHR(30), 1) AS currency,
  SPLIT_INDEX(t.term, CHR(30), 6) AS upstream_path,
  SPLIT_INDEX(t.term, CHR(30), 2) AS zone,
  CAST(SPLIT_INDEX(t.term, CHR(30), 3) AS BIGINT) AS from_ms,
  CAST(SPLIT_INDEX(t.term, CHR(30), 4) AS BIGINT) AS until_ms,
  CAST(SPLIT_INDEX(t.term, CHR(30), 5) AS INT) AS interval_s,
  SPLIT_INDEX(SPLIT_INDEX(t.term, CHR(30), 0), '/', 0) AS site
FROM contract_terms AS c
CROSS JOIN UNNEST(c.terms) AS t (term)
