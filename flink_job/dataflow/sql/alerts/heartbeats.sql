-- Heartbeats: arrivals of the entities that no-data rules monitor, from marks of three fields (see flink_job/alerts/presence.py).
SELECT
  SPLIT_INDEX(h.mark, CHR(30), 0) AS entity_key,
  SPLIT_INDEX(h.mark, CHR(30), 1) AS site_path,
  SPLIT_INDEX(h.mark, CHR(30), 2) AS tags,
  CAST(r.arrival AS TIMESTAMP_LTZ(3)) AS arrival
FROM resolved AS r
CROSS JOIN UNNEST(r.heartbeats) AS h (mark)
