-- Meters that join or leave entities by their contract, from marks of four fields (see flink_job/alerts/presence.py).
SELECT
  SPLIT_INDEX(m.mark, CHR(30), 0) AS entity_key,
  SPLIT_INDEX(m.mark, CHR(30), 1) AS site_path,
  SPLIT_INDEX(m.mark, CHR(30), 2) AS tags,
  c.meter_id,
  SPLIT_INDEX(m.mark, CHR(30), 3) AS meter_action
FROM contract_terms AS c
CROSS JOIN UNNEST(c.marks) AS m (mark)
