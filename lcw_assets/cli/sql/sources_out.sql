SELECT source, since FROM prices.source_health WHERE state IN ('out', 'probing') ORDER BY source
