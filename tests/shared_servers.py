"""Servers that serve one test after the other: starting them takes longer than most tests, emptying them does not."""

import shutil

from tests.fleet_harness import Fleet, wait_for

SERVERS = ("redis", "clickhouse")
OURS = (
    "FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'schema_migrations'"
)
SHAPE = """
SELECT (SELECT groupBitXor(cityHash64(database, create_table_query)) FROM system.tables
        WHERE lower(database) NOT IN ('system', 'information_schema')),
       (SELECT max(version) FROM schema_migrations)
"""


class Servers:
    """A Redis and a ClickHouse with the schema, for the tests of a module; made anew where a test has left none."""

    def __init__(self, folder):
        self._folder = folder
        self._fleet = None
        self._environment = {}
        self._shape = []

    def lend(self):
        """Return a fleet with empty servers, of which nothing else runs."""
        if self._fleet is None:
            self._fleet = Fleet(self._folder())
            try:
                self._fleet.start_servers()
            except BaseException:  # the next test is to fail of the same cause, not of what it has left
                self.close()
                raise
            self._environment, self._shape = dict(self._fleet.environment), self._fleet.sql(SHAPE)
        return self._fleet

    def take_back(self):
        """End what a test has started, and empty what it has filled."""
        fleet = self._fleet
        for name in [name for name in fleet.processes if name not in SERVERS]:
            fleet.kill(name)
            del fleet.processes[name]
        if not self._are_as_they_were(fleet):
            self.close()
            return
        fleet.environment.clear()
        fleet.environment |= self._environment
        self._empty(fleet)

    def _are_as_they_were(self, fleet):
        ports = {"REDIS_PORT": fleet.redis_port, "CLICKHOUSE_PORT": fleet.clickhouse_port}
        are_here = all(self._environment[name] == str(port) for name, port in ports.items())
        are_alive = all(fleet.processes[name][0].poll() is None for name in SERVERS)
        return are_here and are_alive and fleet.sql(SHAPE) == self._shape

    def _empty(self, fleet):
        for (name,) in fleet.sql(f"SELECT name {OURS}"):
            fleet.command(f"TRUNCATE TABLE {name}")
        fleet.redis.flushall()
        fleet.redis.bgrewriteaof()  # a test may cut its end off: nothing of an earlier one must come to light
        wait_for(lambda: fleet.redis.info("persistence")["aof_rewrite_in_progress"], expected=0, what="rewritten")
        for path in fleet.folder.iterdir():
            if path.suffix == ".log":
                path.write_bytes(b"")
            elif path.is_dir() and path.name not in SERVERS:
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()

    def close(self):
        """End everything."""
        if self._fleet is not None:
            self._fleet.__exit__()
            self._fleet = None
