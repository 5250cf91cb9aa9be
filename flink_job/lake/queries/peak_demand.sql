-- title: Quarter hours of highest demand
-- description: The quarter hours with the highest mean power of each factory, which set its demand.
-- units: mean_kw [kW], cost [currency]
SELECT entity AS factory, window_start, mean_kw, cost, currency
FROM kpis_15m
WHERE level = 'factory' AND event_date >= '2026-01-01'
ORDER BY mean_kw DESC, entity, window_start
LIMIT 100
