-- No-data events, the input of the no-data state machines: an entity stopped reporting, or resumed.
SELECT entity, site_path, tags, FALSE AS is_resumed, last_ms AS at_ms, CAST(-1 AS BIGINT) AS before_ms
FROM no_data_sessions
WHERE entity <> ''
UNION ALL
SELECT entity, site_path, tags, is_resumed, arrival_ms AS at_ms, before_ms
FROM heartbeats
WHERE is_resumed
