-- What the price of each market did in the rounds before this one, in its own currency. A response that served in several
-- rounds counts once, in the round whose call brought it: there its source has a fact.
SELECT
    quotes.source,
    quotes.market,
    count(*) AS rounds,
    min(quotes.price) AS lowest,
    max(quotes.price) AS highest,
    max(quotes.received_at) AS received_at
FROM prices.quotes AS quotes
INNER JOIN prices.source_loads AS facts ON facts.source = quotes.source AND facts.priced_at = quotes.priced_at
WHERE quotes.priced_at < $at AND quotes.priced_at >= $since AND quotes.price IS NOT NULL
    AND facts.priced_at < $at AND facts.priced_at >= $since
GROUP BY quotes.source, quotes.market
