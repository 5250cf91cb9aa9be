-- Entities whose silence is watched, at each arrival: marks of six parts (see flink_job/alerts/prefilters.py).
SELECT
  SPLIT_INDEX(w.mark, CHR(30), 3) AS entity,
  SPLIT_INDEX(w.mark, CHR(30), 4) AS site_path,
  SPLIT_INDEX(w.mark, CHR(30), 5) AS tags,
  SPLIT_INDEX(w.mark, CHR(30), 0) = '1' AS is_heard,
  CAST(SPLIT_INDEX(w.mark, CHR(30), 1) AS BIGINT) AS before_ms,
  CAST(SPLIT_INDEX(w.mark, CHR(30), 2) AS BIGINT) AS arrival_ms,
  CAST(p.arrival AS TIMESTAMP_LTZ(3)) AS arrival
FROM placed AS p
CROSS JOIN UNNEST(p.watched) AS w (mark)
