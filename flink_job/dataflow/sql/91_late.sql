-- Readings whose window has been emitted: each becomes a partial of its own, merged by the views.
SELECT * FROM judged WHERE is_late
