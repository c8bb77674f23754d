-- Every coin that Live Coin Watch has under these tickers, in any currency: underscores tell them apart.
SELECT DISTINCT code, ltrim(code, '_') AS ticker FROM market.coins WHERE ltrim(code, '_') IN (SELECT unnest($tickers))
