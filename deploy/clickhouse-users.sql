-- Users for a ClickHouse of your own: writers, a reader for the dashboard and for people, and one that may change the
-- schema. Change the passwords, and the database's name if CLICKHOUSE_DATABASE is another.
CREATE DATABASE IF NOT EXISTS tickfleet;

CREATE USER IF NOT EXISTS tickfleet_processor IDENTIFIED BY 'change-me-processor';
GRANT SELECT, INSERT, ALTER UPDATE, ALTER DELETE ON tickfleet.* TO tickfleet_processor;
GRANT SELECT ON system.processes TO tickfleet_processor;

-- What it may do is what it is granted. It has no `readonly` of its own, so that each question of the dashboard's SQL box can
-- ask for readonly = 1 together with limits, which its text cannot lift then.
CREATE USER IF NOT EXISTS tickfleet_reader IDENTIFIED BY 'change-me-reader';
GRANT SELECT ON tickfleet.* TO tickfleet_reader;
GRANT SELECT ON system.parts, SELECT ON system.tables, SELECT ON system.columns TO tickfleet_reader;

-- For setup_schema.py and start.sh.
CREATE USER IF NOT EXISTS tickfleet_operator IDENTIFIED BY 'change-me-operator';
GRANT ALL ON tickfleet.* TO tickfleet_operator;
GRANT SELECT ON system.* TO tickfleet_operator;
