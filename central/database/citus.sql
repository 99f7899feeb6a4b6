-- Spreads head office's tables over the machines of a distributed PostgreSQL (Citus 11 or later). Once, on the
-- coordinator, after `cloche-hq migrate --create` and while no head office runs: docs/hq-database.md.
BEGIN;

-- A unique key must hold the column by which a table is spread. Enrolment looks a key up before it makes a store; this
-- index keeps that fast, and the row of the token that is used up keeps two from doing so at once.
ALTER TABLE stores DROP CONSTRAINT stores_public_key_key;
CREATE INDEX stores_public_key ON stores (public_key);

-- Small, asked for beside every store's rows: a copy on each machine.
SELECT create_reference_table('entities');
SELECT create_reference_table('regions');
SELECT create_reference_table('people');
SELECT create_reference_table('grants');
SELECT create_reference_table('substitutions');
SELECT create_reference_table('officer_keys');
SELECT create_reference_table('officer_versions');
SELECT create_reference_table('api_tokens');
SELECT create_reference_table('invitations');
SELECT create_reference_table('logins');
SELECT create_reference_table('recovery_codes');
SELECT create_reference_table('cases');
SELECT create_reference_table('orders');
SELECT create_reference_table('facts');
SELECT create_reference_table('tokens');
SELECT create_reference_table('webhooks');
SELECT create_reference_table('webhook_deliveries');
SELECT create_reference_table('fleet_days');

-- Written often, never joined with a store's rows: on the coordinator alone.
SELECT citus_add_local_table_to_metadata('acts');
SELECT citus_add_local_table_to_metadata('views');
SELECT citus_add_local_table_to_metadata('attempts');
SELECT citus_add_local_table_to_metadata('provider_requests');
SELECT citus_add_local_table_to_metadata('once_keys');
SELECT citus_add_local_table_to_metadata('news_marks');
SELECT citus_add_local_table_to_metadata('duties');

-- Stores, and what belongs to one: all rows of a store on one machine.
SELECT create_distributed_table('stores', 'id');
SELECT create_distributed_table('store_keys', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('certificates', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('instances', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('faults', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('reports', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('gaps', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('snapshots', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('sections', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('holdings', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('catalogued', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('training_figures', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('vendor_shares', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('alerts', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('incidents', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('events', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('drills', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('papers', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('anchors', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('deliveries', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('people_pushes', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('person_segments', 'store_id', colocate_with => 'stores');
SELECT create_distributed_table('day_figures', 'store_id', colocate_with => 'stores');

COMMIT;
