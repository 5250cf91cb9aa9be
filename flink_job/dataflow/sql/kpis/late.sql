-- Readings whose window has been emitted: each is a partial of its own, merged by the views of the lake.
SELECT * FROM lateness_tagged WHERE is_late
