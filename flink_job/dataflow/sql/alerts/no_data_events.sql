-- Input of the no-data state machines: an entity stopped reporting, resumed, moved, or is gone.
SELECT entity, site_path, tags, kind, at_ms, before_ms
FROM presence
