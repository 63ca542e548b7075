-- Anonymises the sample shop. Take it as a template for your own script:
--
--     draupnir images create "$(date -u +%Y-%m-%dT%H:%M:%SZ)" anonymise.sql
--
-- Draupnir runs the script once for each image, with psql, connected to the database "postgres", on a copy that no one
-- else can reach. The first error ends it and the image is not offered to anyone. Afterwards Draupnir itself removes
-- what an UPDATE leaves behind in a data directory: dead rows, index entries, statistics, the write-ahead log.
--
-- How to write one that lasts:
--   * Set every personal column in one UPDATE a table: no loops, no function a row.
--   * Make the new value from the id. It is then unique where it has to be, the same in every image, and a colleague
--     can tell "Customer 17" from "Customer 18".
--   * Build documents (jsonb) anew from the keys to keep. Removing the keys known to be personal keeps the next one.
--   * Free text has to go: no pattern finds all that people write about themselves. Its length may stay.
--   * End with a check. It fails the image on the day on which someone adds a way around the above.

\c shop

BEGIN;

-- A second session that holds a lock is told at once, not waited for.
SET LOCAL lock_timeout = '10s';

-- Statements that touch each row once are over before their compilation pays.
SET LOCAL jit = off;

-- Triggers that write history, send something or recount would run for every row. The shop has none that an UPDATE
-- of these columns starts; where there are, switch them off for the time of this transaction, and on again at its end:
--   ALTER TABLE shop.customers DISABLE TRIGGER USER;

-- Orders come before customers: only as long as both names are real can be told who ordered for themselves. City and
-- country stay for reports, the first two characters of the postcode for maps of regions.
UPDATE shop.orders AS o
SET delivery_name = recipient.name,
    delivery_address = jsonb_object(ARRAY[
      'name', recipient.name,
      'street', o.id % 200 + 1 || ' Delivery Street',
      'postcode', left(o.delivery_address ->> 'postcode', 2),
      'city', o.delivery_address ->> 'city',
      'country', o.delivery_address ->> 'country'
    ])
FROM (
  SELECT orders.id,
    CASE WHEN customers.name = delivery_name THEN 'Customer ' || customers.id ELSE 'Recipient ' || orders.id END AS name
  FROM shop.orders
  JOIN shop.customers ON customers.id = orders.customer_id
) AS recipient
WHERE recipient.id = o.id;

-- Domain .invalid never gets mail (RFC 2606). NULL stays NULL, so that code that has to cope with it is tested.
UPDATE shop.customers
SET name = 'Customer ' || id,
    email = 'customer-' || id || '@anonymous.invalid',
    phone = CASE WHEN phone IS NOT NULL THEN '+00 ' || lpad(id::text, 9, '0') END,
    street = id % 200 + 1 || ' Customer Street',
    postcode = left(postcode, 2),
    born = date_trunc('year', born),
    iban = CASE WHEN iban IS NOT NULL THEN country || '00' || lpad(id::text, 18, '0') END,
    note = CASE WHEN note IS NOT NULL THEN 'A note about customer ' || id END;

-- As long as before, so that pages and indexes behave as in production.
UPDATE shop.support_messages
SET subject = 'Message ' || id,
    body = left(repeat('All that was said here has been taken out. ', length(body) / 43 + 1), length(body));

-- A materialised view is a copy: it keeps what it has read until it is told to read again.
REFRESH MATERIALIZED VIEW shop.customer_revenue;

-- ids, totals, quantities, dates of orders, products: not personal, kept as they are.

DO $$
DECLARE
  leaks text;
BEGIN
  SELECT string_agg(place, ', ') INTO leaks
  FROM (
    SELECT 'customers' AS place
    WHERE EXISTS (
      SELECT FROM shop.customers
      WHERE name NOT LIKE 'Customer %' OR email NOT LIKE '%@anonymous.invalid' OR phone NOT LIKE '+00 %' OR iban NOT LIKE '__00%'
    )
    UNION ALL
    SELECT 'orders'
    WHERE EXISTS (
      SELECT FROM shop.orders
      WHERE (delivery_name NOT LIKE 'Customer %' AND delivery_name NOT LIKE 'Recipient %')
        OR delivery_address ->> 'name' <> delivery_name
        OR delivery_address - '{name,street,postcode,city,country}'::text[] <> '{}'
    )
    UNION ALL
    SELECT 'support_messages'
    WHERE EXISTS (SELECT FROM shop.support_messages WHERE position('@' IN subject) > 0 OR position('@' IN body) > 0)
    UNION ALL
    SELECT 'customer_revenue'
    WHERE EXISTS (SELECT FROM shop.customer_revenue WHERE email NOT LIKE '%@anonymous.invalid')
  ) AS places;
  -- Names the table only: an error message is no place for a value.
  IF leaks IS NOT NULL THEN
    RAISE EXCEPTION 'not anonymised: %', leaks;
  END IF;
END
$$;

COMMIT;
