-- The sample shop, part two: keys, indexes, views and triggers, after the rows have come (see shop.sql).

SET search_path = shop;
SET maintenance_work_mem = '256MB';

ALTER TABLE customers ADD PRIMARY KEY (id);
ALTER TABLE products ADD PRIMARY KEY (id);
ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE order_lines ADD PRIMARY KEY (order_id, product_id);
ALTER TABLE support_messages ADD PRIMARY KEY (id, sent_at);

CREATE UNIQUE INDEX customers_email ON customers (lower(email));
CREATE INDEX customers_name ON customers (name);
CREATE UNIQUE INDEX products_sku ON products (sku);
CREATE INDEX orders_customer ON orders (customer_id, placed_at);
CREATE INDEX orders_open ON orders (placed_at) WHERE status IN ('placed', 'paid', 'shipped');
CREATE INDEX order_lines_product ON order_lines (product_id);
CREATE INDEX support_messages_customer ON support_messages (customer_id);

ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_lines ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
ALTER TABLE order_lines ADD FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE support_messages ADD FOREIGN KEY (customer_id) REFERENCES customers;

-- The rows brought their ids along: the next ones go on from there.
DO $$
BEGIN
  PERFORM setval(pg_get_serial_sequence('customers', 'id'), (SELECT max(id) FROM customers));
  PERFORM setval(pg_get_serial_sequence('products', 'id'), (SELECT max(id) FROM products));
  PERFORM setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders));
END
$$;

CREATE FUNCTION update_order_total() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed integer := CASE TG_OP WHEN 'DELETE' THEN OLD.order_id ELSE NEW.order_id END;
BEGIN
  UPDATE shop.orders
  SET total = (SELECT coalesce(sum(quantity * unit_price), 0) FROM shop.order_lines WHERE order_id = changed)
  WHERE id = changed;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION update_order_total() IS 'keeps orders.total the sum of the lines';

CREATE TRIGGER order_lines_total AFTER INSERT OR DELETE OR UPDATE OF quantity, unit_price ON order_lines
  FOR EACH ROW EXECUTE FUNCTION update_order_total();

CREATE VIEW open_orders AS
  SELECT o.id, o.placed_at, o.status, o.total, c.name, c.email
  FROM orders o
  JOIN customers c ON c.id = o.customer_id
  WHERE o.status IN ('placed', 'paid', 'shipped');

CREATE MATERIALIZED VIEW customer_revenue AS
  SELECT c.id AS customer_id, c.name, c.email, count(*) AS orders, sum(o.total) AS revenue
  FROM customers c
  JOIN orders o ON o.customer_id = c.id
  WHERE o.status NOT IN ('cancelled', 'returned')
  GROUP BY c.id;
CREATE UNIQUE INDEX customer_revenue_customer ON customer_revenue (customer_id);
COMMENT ON MATERIALIZED VIEW customer_revenue IS 'who brings how much; refreshed every night';

ANALYZE;
