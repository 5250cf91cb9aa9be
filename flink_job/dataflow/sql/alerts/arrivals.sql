-- Heartbeats and clock ticks in one stream; event time is the time of arrival.
SELECT entity_key, site_path, tags, arrival FROM heartbeats
UNION ALL
SELECT entity_key, site_path, tags, arrival FROM ticks
