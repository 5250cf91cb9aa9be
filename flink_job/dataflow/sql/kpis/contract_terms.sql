-- The terms of a contract that is new, or has replaced another, the entities that its meter joins or leaves, and the time for which
-- it changes what has been priced.
SELECT
  updated_key AS meter_id,
  updated_version AS contract_version,
  expected_terms(latest, previous) AS terms,
  contract_marks(latest, previous) AS marks,
  changed_spans(latest, previous) AS spans
FROM contract_updates
